//! What the benches of documents share.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use thunderhead::compute::Interrupt;
use thunderhead::context::{Cache, Layout, Loader, Pack, Selection, Template};
use thunderhead::conversation::QuoteModel;
use thunderhead::model::{Tokenizer, bundled};

const TOKENS: usize = 1_000_000;

/// What is loaded, and with which tokenizer.
pub struct Documents {
    tokenizer: Tokenizer,
    layout: Layout,
    selection: Selection,
    scratch: PathBuf,
}

impl Documents {
    /// The paths of the command line, else a million tokens of copies; the tokenizer of the folder `$TOKENIZER` with the
    /// layout of chat models, else the bundled one's.
    pub fn new() -> Self {
        let arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
        let named: Vec<PathBuf> = arguments.map(PathBuf::from).collect();
        let scratch = std::env::temp_dir().join(format!("thunderhead-bench-{}", std::process::id()));
        let paths = if named.is_empty() {
            vec![copies(&scratch.join("tree"))]
        } else {
            named
        };
        let folder = std::env::var_os("TOKENIZER").map(PathBuf::from);
        let tokenizer = match &folder {
            Some(folder) => Tokenizer::from_file(&folder.join("tokenizer.json")).unwrap(),
            None => bundled().unwrap().tokenizer().unwrap(),
        };
        let layout = match QuoteModel::recognise(&tokenizer, folder.is_some()) {
            Some(model) => model.layout(),
            None => Layout::Documents(Template::default()),
        };
        Self {
            tokenizer,
            layout,
            selection: Selection::of(paths),
            scratch,
        }
    }

    /// One document of a million tokens.
    pub fn whole() -> Self {
        let mut documents = Self::new();
        let tree = &documents.selection.paths[0];
        let file = documents.scratch.join("whole.rs");
        let text: String = files(tree)
            .iter()
            .map(|path| fs::read_to_string(path).unwrap())
            .collect();
        fs::write(&file, text).unwrap();
        documents.selection = Selection::of(vec![file]);
        documents
    }

    pub fn load(&self, kept: bool) -> Pack {
        let cache = kept.then(|| Cache::open(&self.scratch.join("cache")));
        let loader = Loader {
            tokenizer: &self.tokenizer,
            layout: &self.layout,
            limit: usize::MAX,
            cache: cache.as_ref(),
        };
        loader.load(&self.selection, &Interrupt::new(), &|_| ()).unwrap()
    }
}

impl Drop for Documents {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.scratch);
    }
}

/// Bytes of the texts of a pack.
pub fn bytes(pack: &Pack) -> usize {
    pack.documents.iter().map(|document| document.text.len()).sum()
}

/// All files of a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// About as many tokens of source code as a context holds, no two files alike.
fn copies(to: &Path) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources: Vec<String> = files(&from)
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    sources.sort();
    // The bundled tokenizer takes about two tokens for three bytes, with the numbers of lines.
    let mut left = TOKENS * 2;
    for copy in 0.. {
        for (index, source) in sources.iter().enumerate() {
            let folder = to.join(format!("{copy:02}/{:02}", index % 20));
            fs::create_dir_all(&folder).unwrap();
            let mut own = String::new();
            for (n, line) in source.lines().enumerate() {
                writeln!(own, "{line} // {}", copy * 7 + n % 90).unwrap();
            }
            fs::write(folder.join(format!("{index:03}.rs")), &own).unwrap();
            left = left.saturating_sub(own.len());
            if left == 0 {
                return to.to_owned();
            }
        }
    }
    to.to_owned()
}
