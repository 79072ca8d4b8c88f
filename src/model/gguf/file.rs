//! Opening GGUF files: the header, and the further files of a split model.
//!
//! A file is: magic, version, number of tensors, number of keys; the keys; name, shape, type and offset of each tensor;
//! then, aligned, the data. All little-endian (ggml `docs/gguf.md`; versions 2 and 3 differ in nothing that is read here).

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::super::ModelError;
use super::super::files;
use super::metadata::Metadata;
use super::reader::Reader;
use super::tensors::Tensors;

const MAGIC: [u8; 4] = *b"GGUF";
const ALIGNMENT: usize = 32;
const LARGEST_ALIGNMENT: usize = 1 << 20;

/// The GGUF model in a folder: the one file, or the first part of the one model that is there in parts. `None` if there
/// is no GGUF file at all.
///
/// # Errors
/// If there are several models, as one must be chosen.
pub(in super::super) fn find(directory: &Path) -> Result<Option<PathBuf>, ModelError> {
    let io = |e| ModelError::io(directory, e);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        let Some(name) = name.to_str().filter(|name| is_gguf(Path::new(name))) else {
            continue;
        };
        // Parts after the first belong to it, and what sees pictures for a model is none itself.
        let is_first = PartName::parse(name).is_none_or(|name| name.part == 1);
        if is_first && !name.starts_with("mmproj") {
            names.push(name.to_owned());
        }
    }
    names.sort();
    match names.as_slice() {
        [] => Ok(None),
        [name] => Ok(Some(directory.join(name))),
        [first, ..] => Err(ModelError::malformed(
            directory,
            format!(
                "there are {} models in GGUF here ({}); name one, as {}",
                names.len(),
                names[..names.len().min(5)].join(", "),
                directory.join(first).display()
            ),
        )),
    }
}

/// Whether a path is named as a GGUF file.
fn is_gguf(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"))
}

/// What to call the model in the file at `path`: its name without the ending, and without the number of a part.
pub(super) fn stem(path: &Path) -> String {
    let name = path.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
    match PartName::parse(&name) {
        Some(name) => name.stem.to_owned(),
        None => Path::new(&*name)
            .file_stem()
            .map_or_else(|| "model".to_owned(), |stem| stem.to_string_lossy().into_owned()),
    }
}

/// How much of a file there must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    /// Keys and the list of tensors; what comes after may be missing.
    Header,
}

/// Reads the file at `path`, and those that it is split into if it is the first of several.
pub(super) fn open(path: &Path, extent: Extent) -> Result<(Metadata, Tensors), ModelError> {
    let mut tensors = Tensors::new(path.to_owned());
    let metadata = read(path, extent, &mut tensors)?;
    for (index, part) in further_parts(path, &metadata)?.iter().enumerate() {
        if !part.is_file() {
            return Err(ModelError::Missing {
                path: part.clone(),
                what: format!(
                    "this part of the model is missing; {} says that there are more. Download it into the same folder.",
                    path.display()
                ),
            });
        }
        let of_part = read(part, extent, &mut tensors)?;
        if of_part.optional_size("split.no")? != Some(index + 1) {
            return Err(of_part.wrong("split.no", &format!("{}, as in the file's name", index + 1)));
        }
    }
    Ok((metadata, tensors))
}

/// Reads one file; its tensors are added to `tensors`.
fn read(path: &Path, extent: Extent, tensors: &mut Tensors) -> Result<Metadata, ModelError> {
    let storage = files::map(path)?;
    let mut reader = Reader::new(path, (*storage).as_ref());
    let unsupported = |what: String, advice: &str| ModelError::Unsupported {
        path: path.to_owned(),
        what,
        advice: advice.to_owned(),
    };
    if reader.take("the format's mark")? != MAGIC {
        return Err(ModelError::malformed(
            path,
            "not a GGUF file: it does not begin with \"GGUF\". Give a .gguf file or the folder of a checkpoint.",
        ));
    }
    match reader.u32("the version")? {
        2 | 3 => {}
        1 => {
            return Err(unsupported(
                "version 1 of GGUF".to_owned(),
                "It was replaced in 2023; convert the model again.",
            ));
        }
        version if (1..=0xffff).contains(&version.swap_bytes()) => {
            return Err(unsupported(
                "a GGUF file for big-endian machines".to_owned(),
                "Take the model in the usual, little-endian form.",
            ));
        }
        version => {
            return Err(unsupported(
                format!("version {version} of GGUF"),
                "Versions 2 and 3 are read.",
            ));
        }
    }
    let tensor_count = reader.u64("the number of tensors")?;
    let key_count = reader.u64("the number of keys")?;
    let metadata = Metadata::read(&mut reader, path, &storage, key_count)?;
    let alignment = metadata.optional_size("general.alignment")?.unwrap_or(ALIGNMENT);
    if !alignment.is_power_of_two() || alignment > LARGEST_ALIGNMENT {
        return Err(metadata.wrong("general.alignment", "a power of two"));
    }
    let length = match extent {
        Extent::Whole => (*storage).as_ref().len(),
        Extent::Header => usize::MAX,
    };
    tensors.add(&mut reader, path, (&storage, length), tensor_count, alignment)?;
    Ok(metadata)
}

/// The files after the first of a split model, whose names end in `-00001-of-00003.gguf`.
fn further_parts(path: &Path, metadata: &Metadata) -> Result<Vec<PathBuf>, ModelError> {
    let count = metadata.optional_size("split.count")?.unwrap_or(1);
    if count <= 1 {
        return Ok(Vec::new());
    }
    let name = path.file_name().and_then(OsStr::to_str).and_then(PartName::parse);
    match name {
        Some(name) if name.count != count => {
            Err(metadata.wrong("split.count", &format!("{}, as in the file's name", name.count)))
        }
        Some(name) if name.part == 1 => Ok((2..=count).map(|part| path.with_file_name(name.of(part))).collect()),
        Some(name) => Err(ModelError::malformed(
            path,
            format!(
                "this is part {} of {count} of a model; give the first, {}",
                name.part,
                name.of(1)
            ),
        )),
        None => Err(ModelError::malformed(
            path,
            format!(
                "this is one of {count} parts of a model and its name does not say which; expected a name that ends in \
                 -00001-of-{count:05}.gguf. Give the files the names they had."
            ),
        )),
    }
}

/// The name of one file of a split model.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PartName<'a> {
    /// What all names begin with.
    pub stem: &'a str,
    /// From 1.
    pub part: usize,
    pub count: usize,
}

impl<'a> PartName<'a> {
    pub fn parse(name: &'a str) -> Option<Self> {
        let (rest, count) = name.strip_suffix(".gguf")?.rsplit_once("-of-")?;
        let (stem, part) = rest.rsplit_once('-')?;
        let number = |digits: &str| match digits.len() {
            5 if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok(),
            _ => None,
        };
        let (part, count) = (number(part)?, number(count)?);
        ((1..=count).contains(&part)).then_some(Self { stem, part, count })
    }

    /// The name of another part.
    fn of(&self, part: usize) -> String {
        format!("{}-{part:05}-of-{:05}.gguf", self.stem, self.count)
    }
}
