//! A zip archive whose headers are not believed: what is unpacked is counted as it comes.

use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use super::{Refused, Watch};

/// An archive may unpack to so many times its size…
const MOST_EXPANSION: u64 = 200;
/// …and to so many bytes in any case.
const ALWAYS_ALLOWED: u64 = 16 << 20;
const CENTRAL_HEADER: &[u8] = b"PK\x01\x02";
const SLICE: u64 = 64 << 10;

pub(super) struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    /// Bytes that may still be unpacked.
    left: u64,
    watch: &'a Watch<'a>,
}

impl<'a> Archive<'a> {
    pub fn open(bytes: &'a [u8], watch: &'a Watch<'a>) -> Result<Self, Refused> {
        // Before the directory is read, which takes some hundred bytes of memory an entry.
        let most = watch.limits.entries;
        let entries = bytes.windows(4).filter(|w| *w == CENTRAL_HEADER).take(most + 1).count();
        if entries > most {
            return Err(Refused::because(format!("an archive of more than {most} entries")));
        }
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|e| damaged(&e))?;
        let expansion = (bytes.len() as u64).saturating_mul(MOST_EXPANSION).max(ALWAYS_ALLOWED);
        Ok(Self {
            zip,
            left: watch.limits.unpacked.min(expansion),
            watch,
        })
    }

    /// The bytes of an entry; `None` if there is no such.
    pub fn read(&mut self, name: &str) -> Result<Option<Vec<u8>>, Refused> {
        let mut entry = match self.zip.by_name(name) {
            Ok(entry) => entry,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(e) => return Err(damaged(&e)),
        };
        let limit = self.left.min(self.watch.limits.entry);
        let mut bytes = Vec::new();
        loop {
            self.watch.check()?;
            let got = entry.by_ref().take(SLICE).read_to_end(&mut bytes);
            let got = got.map_err(|e| Refused::because(format!("a damaged archive: {e}")))?;
            if bytes.len() as u64 > limit {
                let reason = "an archive that unpacks to more than it may (a zip bomb?)";
                return Err(Refused::because(reason));
            }
            if got == 0 {
                self.left -= bytes.len() as u64;
                return Ok(Some(bytes));
            }
        }
    }

    /// The first entry, by name, whose name ends so.
    pub fn find(&self, ending: &str) -> Option<String> {
        let names = self.zip.file_names().flatten();
        names
            .filter(|name| name.ends_with(ending))
            .min()
            .map(std::borrow::Cow::into_owned)
    }
}

fn damaged(error: &ZipError) -> Refused {
    Refused::because(match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => "encrypted with a password".to_owned(),
        error => format!("a damaged archive: {error}"),
    })
}
