//! What is left out of a folder by its name unless it is asked for: what people do not mean when they name the folder.

use std::path::Path;

use super::Exclusion;

const VERSION_CONTROL: [&str; 6] = [".git", ".hg", ".svn", ".jj", ".bzr", "CVS"];

/// Folders of code that others wrote, or that tools fetched.
const VENDORED: [&str; 14] = [
    "Carthage",
    "Godeps",
    "Pods",
    "__pycache__",
    "bower_components",
    "elm-stuff",
    "jspm_packages",
    "node_modules",
    "site-packages",
    "third-party",
    "third_party",
    "thirdparty",
    "vendor",
    "vendored",
];

const LOCK_FILES: [&str; 22] = [
    "Cargo.lock",
    "Gemfile.lock",
    "Manifest.toml.lock",
    "Package.resolved",
    "Pipfile.lock",
    "Podfile.lock",
    "bun.lock",
    "composer.lock",
    "deno.lock",
    "flake.lock",
    "go.sum",
    "go.work.sum",
    "gradle.lockfile",
    "mix.lock",
    "npm-shrinkwrap.json",
    "package-lock.json",
    "packages.lock.json",
    "pdm.lock",
    "pnpm-lock.yaml",
    "poetry.lock",
    "uv.lock",
    "yarn.lock",
];

const MINIFIED: [&str; 6] = [".min.js", ".min.css", ".min.mjs", ".js.map", ".css.map", ".min.html"];

/// Endings that code generators give.
const GENERATED: [&str; 12] = [
    ".pb.go",
    ".pb.cc",
    ".pb.h",
    "_pb2.py",
    "_pb2.pyi",
    "_pb2_grpc.py",
    ".g.dart",
    ".freezed.dart",
    ".designer.cs",
    ".g.cs",
    ".snap.new",
    ".generated.ts",
];

const IMAGES: [&str; 16] = [
    "avif", "bmp", "eps", "gif", "heic", "icns", "ico", "jpeg", "jpg", "jxl", "png", "psd", "tif", "tiff", "webp",
    "xcf",
];

const ARCHIVES: [&str; 22] = [
    "7z", "apk", "bz2", "cab", "crate", "deb", "dmg", "ear", "gem", "gz", "iso", "jar", "lz4", "rar", "rpm", "tar",
    "tgz", "war", "whl", "xz", "zip", "zst",
];

const WEIGHTS: [&str; 14] = [
    "ckpt",
    "ggml",
    "gguf",
    "h5",
    "keras",
    "npy",
    "npz",
    "onnx",
    "pb",
    "pt",
    "pth",
    "safetensors",
    "tflite",
    "weights",
];

/// Files of data rather than text; large ones are left out.
const DATA: [&str; 21] = [
    "csv", "dat", "data", "dump", "geojson", "json", "jsonl", "log", "map", "ndjson", "out", "plist", "proto", "snap",
    "sql", "svg", "toml", "tsv", "xml", "yaml", "yml",
];

/// The largest file of data, or of no known kind, that is taken without having been named.
pub(super) const DATA_LIMIT: u64 = 1 << 20;

/// A verdict on a name.
pub(super) type Verdict = Option<(Exclusion, &'static str)>;

/// Why a folder is not entered.
pub(super) fn folder(path: &Path) -> Verdict {
    let name = path.file_name()?.to_string_lossy();
    if VERSION_CONTROL.contains(&name.as_ref()) {
        return Some((Exclusion::Hidden, "what version control keeps for itself"));
    }
    if VENDORED.contains(&name.as_ref()) {
        return Some((Exclusion::Vendored, "code of others"));
    }
    if path.join("pyvenv.cfg").is_file() {
        return Some((Exclusion::Vendored, "a Python environment"));
    }
    if path.join("CACHEDIR.TAG").is_file() {
        return Some((Exclusion::Generated, "a cache (CACHEDIR.TAG)"));
    }
    None
}

/// Why a file is not taken, by its name.
pub(super) fn file(path: &Path) -> Verdict {
    let name = path.file_name()?.to_string_lossy();
    let lower = name.to_ascii_lowercase();
    let has = |extensions: &[&str]| {
        let extension = Path::new(&lower).extension().and_then(|e| e.to_str());
        extension.is_some_and(|extension| extensions.contains(&extension))
    };
    let ends = |endings: &[&str]| endings.iter().any(|ending| lower.ends_with(ending));
    if LOCK_FILES.contains(&name.as_ref()) {
        Some((Exclusion::LockFile, "a lock file"))
    } else if ends(&MINIFIED) {
        Some((Exclusion::Minified, "minified"))
    } else if ends(&GENERATED) {
        Some((Exclusion::Generated, "generated"))
    } else if has(&IMAGES) {
        Some((Exclusion::Image, "an image"))
    } else if has(&["svg"]) {
        Some((Exclusion::Drawing, "a drawing"))
    } else if has(&ARCHIVES) {
        Some((Exclusion::Archive, "an archive"))
    } else if has(&WEIGHTS) {
        Some((Exclusion::Weights, "model weights"))
    } else {
        None
    }
}

/// Whether a file of this name and size is data that is too large to have been meant.
pub(super) fn is_large_data(path: &Path, bytes: u64) -> bool {
    if bytes <= DATA_LIMIT {
        return false;
    }
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    extension.is_none_or(|extension| DATA.contains(&extension.as_str()))
}

/// A script or style sheet of which the mean line is longer than this was not written by hand.
const MINIFIED_MEAN_LINE: usize = 500;
/// Generators say what they are at the beginning.
const BANNER: usize = 1 << 10;
const BANNER_LINES: usize = 8;

/// Why a file is not taken, by its text.
pub(super) fn text(path: &Path, text: &str) -> Verdict {
    let extension = path.extension().unwrap_or_default();
    let script = ["js", "mjs", "cjs", "css"].iter().any(|e| extension == *e);
    let lines = || text.lines().count().max(1);
    if script && text.len() > 10 * MINIFIED_MEAN_LINE && text.len() / lines() > MINIFIED_MEAN_LINE {
        return Some((Exclusion::Minified, "minified"));
    }
    if is_prose(path) {
        return None;
    }
    let banner = &text[..text.floor_char_boundary(BANNER)];
    let says = |line: &str| {
        let line = line.to_ascii_lowercase();
        line.contains("@generated")
            || line.contains("do not edit") && line.contains("generated")
            || line.contains("automatically generated by")
    };
    let generated = banner.lines().take(BANNER_LINES).any(says);
    generated.then_some((Exclusion::Generated, "generated"))
}

/// Whether a file is written for people, who may well write about what is generated.
fn is_prose(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    [
        "md", "txt", "rst", "adoc", "org", "tex", "html", "htm", "epub", "pdf", "docx", "ipynb",
    ]
    .iter()
    .any(|e| extension == *e)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_people_do_not_mean() {
        for (name, kind) in [
            ("a/Cargo.lock", Some(Exclusion::LockFile)),
            ("x.min.js", Some(Exclusion::Minified)),
            ("api.pb.go", Some(Exclusion::Generated)),
            ("LOGO.PNG", Some(Exclusion::Image)),
            ("logo.svg", Some(Exclusion::Drawing)),
            ("x.tar.gz", Some(Exclusion::Archive)),
            ("model.safetensors", Some(Exclusion::Weights)),
            ("lock.rs", None),
            ("png", None),
            ("book.epub", None),
        ] {
            assert_eq!(file(Path::new(name)).map(|(kind, _)| kind), kind, "{name}");
        }
    }

    #[test]
    fn folders_of_tools_are_told_by_name_and_by_mark() {
        let dir = tempfile::tempdir().unwrap();
        let kind = |name: &str, mark: Option<&str>| {
            let path = dir.path().join(name);
            std::fs::create_dir(&path).unwrap();
            if let Some(mark) = mark {
                std::fs::write(path.join(mark), "").unwrap();
            }
            folder(&path).map(|(kind, _)| kind)
        };
        assert_eq!(kind("node_modules", None), Some(Exclusion::Vendored));
        assert_eq!(kind("env", Some("pyvenv.cfg")), Some(Exclusion::Vendored));
        assert_eq!(kind("target", Some("CACHEDIR.TAG")), Some(Exclusion::Generated));
        assert_eq!(kind(".git", None), Some(Exclusion::Hidden));
        assert_eq!(kind("src", None), None);
    }

    #[test]
    fn texts_tell_what_wrote_them() {
        let kind = |name: &str, content: &str| text(Path::new(name), content).map(|(kind, _)| kind);
        let generated = Some(Exclusion::Generated);
        assert_eq!(
            kind("a.go", "// Code generated by x. DO NOT EDIT.\npackage a\n"),
            generated
        );
        assert_eq!(
            kind("a.rs", "/* automatically generated by rust-bindgen 0.69 */\n"),
            generated
        );
        assert_eq!(kind("a.py", "#!/usr/bin/env python\n# @generated\n"), generated);
        assert_eq!(kind("a.md", "Files are @generated; do not edit\n"), None);
        assert_eq!(kind("a.rs", &format!("{}// @generated\n", "\n".repeat(20))), None);
        assert_eq!(kind("a.js", &"x".repeat(20_000)), Some(Exclusion::Minified));
        assert_eq!(kind("a.txt", &"x".repeat(20_000)), None);
        assert_eq!(kind("a.rs", &"é".repeat(BANNER)), None);
    }

    #[test]
    fn large_data_is_not_prose() {
        for (name, large) in [("a.json", true), ("a", true), ("a.txt", false), ("a.c", false)] {
            assert_eq!(is_large_data(Path::new(name), DATA_LIMIT + 1), large, "{name}");
            assert!(!is_large_data(Path::new(name), DATA_LIMIT));
        }
    }
}
