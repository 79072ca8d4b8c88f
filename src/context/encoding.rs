//! Bytes as text, whatever encoding they are in.
//!
//! What a file says of itself comes first (a byte order mark), then what cannot be chance (valid UTF-8), then a guess, and
//! a guess is told. A UTF-8 file with a few damaged places stays UTF-8: taken for a legacy encoding, every letter of it
//! that is not ASCII would turn into two wrong ones.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};

/// A NUL in so many first bytes marks a binary file, as for git.
pub(super) const BINARY_PROBE: usize = 8 << 10;
/// The guess is made from so many bytes, beginning with the first that is not ASCII.
const GUESS_PROBE: usize = 1 << 20;
/// So many letters, at least, make NULs between them a pattern.
const LEAST_UTF16_UNITS: usize = 16;

/// Text, and what to say of how it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decoded {
    pub text: String,
    pub note: Option<String>,
}

/// The bytes are not text in any encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Binary;

/// Whether a file that begins so is not text.
pub(super) fn is_binary(head: &[u8]) -> bool {
    let head = &head[..head.len().min(BINARY_PROBE)];
    bom(head).is_none_or(|bom| bom == Bom::Utf8) && head.contains(&0) && utf16_by_nuls(head).is_none()
}

pub(super) fn decode(bytes: Vec<u8>) -> Result<Decoded, Binary> {
    decode_declared(bytes, None)
}

/// The same for bytes that name their encoding, which holds unless they are UTF-8.
pub(super) fn decode_declared(bytes: Vec<u8>, declared: Option<&'static Encoding>) -> Result<Decoded, Binary> {
    match bom(&bytes) {
        Some(Bom::Utf8) => return Ok(utf8(bytes[3..].to_vec(), None)),
        Some(Bom::Utf16(unit)) => return utf16(&bytes[2..], unit),
        Some(Bom::Utf32(unit)) => return utf32(&bytes[4..], unit),
        None => {}
    }
    if let Some(encoding) = utf16_by_nuls(&bytes[..bytes.len().min(BINARY_PROBE)]) {
        return Ok(by(encoding, &bytes));
    }
    if is_binary(&bytes) {
        return Err(Binary);
    }
    Ok(utf8(bytes, declared))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bom {
    Utf8,
    Utf16(Order),
    Utf32(Order),
}

fn bom(bytes: &[u8]) -> Option<Bom> {
    match bytes {
        [0xef, 0xbb, 0xbf, ..] => Some(Bom::Utf8),
        // Before UTF-16, which it also begins like: no text begins with U+0000.
        [0xff, 0xfe, 0, 0, ..] => Some(Bom::Utf32(Order::Little)),
        [0, 0, 0xfe, 0xff, ..] => Some(Bom::Utf32(Order::Big)),
        [0xff, 0xfe, ..] => Some(Bom::Utf16(Order::Little)),
        [0xfe, 0xff, ..] => Some(Bom::Utf16(Order::Big)),
        _ => None,
    }
}

fn utf8(bytes: Vec<u8>, declared: Option<&'static Encoding>) -> Decoded {
    // The one encoding in use whose bytes are all ASCII.
    if declared == Some(encoding_rs::ISO_2022_JP) && bytes.is_ascii() {
        return by(encoding_rs::ISO_2022_JP, &bytes);
    }
    let bytes = match String::from_utf8(bytes) {
        Ok(text) => return Decoded { text, note: None },
        Err(error) => error.into_bytes(),
    };
    let (mut faults, mut letters) = (0usize, 0usize);
    for chunk in bytes.utf8_chunks() {
        faults += usize::from(!chunk.invalid().is_empty());
        letters += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
    }
    if faults < letters || declared == Some(encoding_rs::UTF_8) {
        return Decoded {
            text: String::from_utf8_lossy(&bytes).into_owned(),
            note: Some(format!("not UTF-8: {} read as U+FFFD", places(faults))),
        };
    }
    by(declared.unwrap_or_else(|| guess(&bytes)), &bytes)
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    let first = bytes.iter().position(|b| !b.is_ascii()).unwrap_or(0);
    let probe = &bytes[first.saturating_sub(64)..];
    let whole = probe.len() <= GUESS_PROBE;
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(&probe[..probe.len().min(GUESS_PROBE)], whole);
    detector.guess(None, Utf8Detection::Deny)
}

fn by(encoding: &'static Encoding, bytes: &[u8]) -> Decoded {
    let (text, faulty) = encoding.decode_without_bom_handling(bytes);
    let note = if faulty {
        let faults = text.matches(char::REPLACEMENT_CHARACTER).count();
        format!("read as {}: {} read as U+FFFD", encoding.name(), places(faults))
    } else {
        format!("read as {}", encoding.name())
    };
    Decoded {
        text: text.into_owned(),
        note: Some(note),
    }
}

fn places(faults: usize) -> String {
    if faults == 1 {
        "1 invalid place is".to_owned()
    } else {
        format!("{faults} invalid places are")
    }
}

/// UTF-16 without a byte order mark, told by the NULs of its ASCII letters: nearly all units are printable ASCII, the
/// rest are not control characters. A table of small numbers looks otherwise.
fn utf16_by_nuls(head: &[u8]) -> Option<&'static Encoding> {
    let (pairs, _) = head.as_chunks::<2>();
    if pairs.len() < LEAST_UTF16_UNITS {
        return None;
    }
    [(UTF_16LE, Order::Little), (UTF_16BE, Order::Big)]
        .into_iter()
        .find(|&(_, order)| {
            let mut ascii = 0;
            for unit in units(pairs, order) {
                match unit {
                    0x09 | 0x0a | 0x0d | 0x20..=0x7e => ascii += 1,
                    0..=0x9f | 0xfffe | 0xffff => return false,
                    _ => {}
                }
            }
            ascii * 4 > pairs.len() * 3
        })
        .map(|(encoding, _)| encoding)
}

fn units(pairs: &[[u8; 2]], order: Order) -> impl Iterator<Item = u16> + Clone {
    pairs.iter().map(move |&pair| match order {
        Order::Little => u16::from_le_bytes(pair),
        Order::Big => u16::from_be_bytes(pair),
    })
}

fn utf16(bytes: &[u8], order: Order) -> Result<Decoded, Binary> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let units = units(pairs, order);
    if !odd.is_empty() || units.clone().take(BINARY_PROBE).any(|u| u == 0) {
        return Err(Binary);
    }
    Ok(replaced("UTF-16", char::decode_utf16(units).map(Result::ok)))
}

fn utf32(bytes: &[u8], order: Order) -> Result<Decoded, Binary> {
    let (units, odd) = bytes.as_chunks::<4>();
    let units = units.iter().map(|&unit| match order {
        Order::Little => u32::from_le_bytes(unit),
        Order::Big => u32::from_be_bytes(unit),
    });
    if !odd.is_empty() || units.clone().take(BINARY_PROBE).any(|u| u == 0) {
        return Err(Binary);
    }
    Ok(replaced("UTF-32", units.map(char::from_u32)))
}

fn replaced(name: &str, chars: impl Iterator<Item = Option<char>>) -> Decoded {
    let mut faults = 0;
    let text = chars
        .map(|c| {
            c.unwrap_or_else(|| {
                faults += 1;
                char::REPLACEMENT_CHARACTER
            })
        })
        .collect();
    let note = (faults > 0).then(|| format!("not {name}: {} read as U+FFFD", places(faults)));
    Decoded { text, note }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> (String, String) {
        let Decoded { text, note } = decode(bytes.to_vec()).unwrap();
        (text, note.unwrap_or_default())
    }

    fn encoded(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn byte_order_marks_decide() {
        for bytes in [
            b"\xef\xbb\xbfa\xc3\xa9".as_slice(),
            b"\xff\xfea\0\xe9\0",
            b"\xfe\xff\0a\0\xe9",
            b"\xff\xfe\0\0a\0\0\0\xe9\0\0\0",
            b"\0\0\xfe\xff\0\0\0a\0\0\0\xe9",
        ] {
            assert_eq!(read(bytes), ("aé".into(), String::new()));
        }
        let (text, note) = read(b"\xff\xfe\0\0a\0\0\0\0\xd8\0\0");
        assert_eq!(text, "a\u{fffd}");
        assert_eq!(note, "not UTF-32: 1 invalid place is read as U+FFFD");
        assert_eq!(decode(b"\xff\xfea\0\0".to_vec()), Err(Binary));
        assert_eq!(decode(b"\xff\xfea\0\0\0b\0".to_vec()), Err(Binary));
    }

    #[test]
    fn utf8_with_few_faults_stays_utf8() {
        let (text, note) = read("naïve caf\u{e9} \u{1f642}".as_bytes().split_last().unwrap().1);
        assert_eq!(text, "naïve café \u{fffd}");
        assert_eq!(note, "not UTF-8: 1 invalid place is read as U+FFFD");
    }

    #[test]
    fn legacy_encodings_are_guessed_and_said() {
        let french = "Il était une fois, à l'orée de la forêt, une bête très âgée qui rêvait d'être aimée.";
        let bytes = encoding_rs::WINDOWS_1252.encode(french).0;
        assert_eq!(read(&bytes), (french.into(), "read as windows-1252".into()));

        let russian = "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.";
        for encoding in [encoding_rs::WINDOWS_1251, encoding_rs::KOI8_U] {
            let bytes = encoding.encode(russian).0;
            assert_eq!(read(&bytes).0, russian, "{}", encoding.name());
        }
        let japanese = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。";
        for encoding in [encoding_rs::SHIFT_JIS, encoding_rs::EUC_JP] {
            let bytes = encoding.encode(japanese).0;
            assert_eq!(read(&bytes), (japanese.into(), format!("read as {}", encoding.name())));
        }
    }

    #[test]
    fn what_is_not_ascii_may_come_late() {
        let mut bytes = vec![b'x'; 2 * GUESS_PROBE];
        bytes.extend_from_slice(&encoding_rs::WINDOWS_1252.encode(" déjà vu").0);
        assert!(read(&bytes).0.ends_with(" déjà vu"));
    }

    #[test]
    fn what_a_file_says_of_itself_holds_unless_it_is_utf8() {
        let latin = |bytes: &[u8]| decode_declared(bytes.to_vec(), Some(encoding_rs::ISO_8859_2)).unwrap();
        assert_eq!(latin(b"\xb9").text, "š");
        assert_eq!(latin("š".as_bytes()).text, "š");
        let utf8 = decode_declared(b"\xb9".to_vec(), Some(encoding_rs::UTF_8)).unwrap();
        assert_eq!(utf8.text, "\u{fffd}");
    }

    #[test]
    fn utf16_without_a_mark_is_known_by_its_nuls_and_numbers_are_not_text() {
        let text = "It was the best of times, it was the worst of times — naïve.";
        for (unit, name) in [
            (u16::to_le_bytes as fn(u16) -> [u8; 2], "read as UTF-16LE"),
            (u16::to_be_bytes, "read as UTF-16BE"),
        ] {
            let bytes = encoded(text, unit);
            assert!(!is_binary(&bytes));
            assert_eq!(read(&bytes), (text.into(), name.into()));
        }
        let numbers: Vec<u8> = (0..4000u16).flat_map(u16::to_le_bytes).collect();
        assert_eq!(decode(numbers), Err(Binary));
        assert!(is_binary(b"ELF\0"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let first = decode(bytes.clone());
            prop_assert_eq!(first, decode(bytes));
        }

        #[test]
        fn utf8_without_nul_is_taken_as_it_stands(text in "[^\0\u{feff}]*") {
            let decoded = decode(text.clone().into_bytes()).unwrap();
            prop_assert_eq!(decoded, Decoded { text, note: None });
        }
    }
}
