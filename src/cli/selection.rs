//! From the command line to a selection of documents.

use std::path::{Path, PathBuf};

use super::error::CliError;
use crate::config::{Count, Documents, FileOrder, Folder, Snapshots};
use crate::context::{Cache, Cut, Layout, Order, Selection, Template};
use crate::conversation::QuoteModel;

pub(super) fn selection(paths: &[PathBuf], documents: &Documents) -> Selection {
    Selection {
        paths: paths.to_vec(),
        exclude: documents.exclude.clone(),
        only: documents.only.clone(),
        include: documents.include.clone(),
        hidden: documents.hidden,
        follow: documents.follow,
        cut: Cut {
            head: documents.head.given().map(Count::size),
            tail: documents.tail.given().map(Count::size),
        },
        order: match documents.order {
            FileOrder::History => Order::History,
            FileOrder::Path => Order::Path,
        },
        ..Selection::default()
    }
}

/// The layout that a model reads.
pub(super) fn layout(quote: Option<&QuoteModel>, documents: &Documents) -> Result<Layout, CliError> {
    match (quote, documents.template.given()) {
        (Some(model), None) => Ok(model.layout()),
        (Some(_), Some(_)) => Err(CliError::Usage(
            "--template (documents.template) is for chat models; this model reads one layout only".to_owned(),
        )),
        (None, None) => Ok(Layout::Documents(Template::default())),
        (None, Some(path)) => template(&path).map(Layout::Documents),
    }
}

fn template(path: &Path) -> Result<Template, CliError> {
    let source = std::fs::read_to_string(path).map_err(|e| e.to_string());
    let template = source.and_then(|source| Template::parse(&source));
    template.map_err(|error| CliError::Usage(format!("{}: {error}", path.display())))
}

/// Where tokens are kept from run to run; nowhere without a home.
pub(super) fn cache(documents: &Documents) -> Option<Cache> {
    if !documents.cache {
        return None;
    }
    cache_folder().map(|folder| Cache::open(&folder))
}

/// Where states are kept from run to run, if they are.
pub(super) fn snapshots(settings: &Snapshots) -> Option<PathBuf> {
    match &settings.folder {
        Folder::Off => None,
        Folder::Auto => cache_folder().map(|folder| folder.join("snapshots")),
        Folder::Is(path) => path.given(),
    }
}

/// `$THUNDERHEAD_CACHE`, else `thunderhead` in the folder for caches of the XDG base directory specification; none if the variable is
/// empty.
fn cache_folder() -> Option<PathBuf> {
    let from = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(folder) = std::env::var_os("THUNDERHEAD_CACHE") {
        return Some(PathBuf::from(folder)).filter(|folder| !folder.as_os_str().is_empty());
    }
    let base = from("XDG_CACHE_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| Some(from("HOME").or_else(|| from("USERPROFILE"))?.join(".cache")))?;
    Some(base.join("thunderhead"))
}
