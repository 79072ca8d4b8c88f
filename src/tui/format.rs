//! Numbers and times as a person reads them.

use std::time::Duration;

/// `1,248`
#[must_use]
pub fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `950`, `9.8K`, `884K`, `1.2M`
#[must_use]
pub fn short(n: usize) -> String {
    match n {
        0..1_000 => n.to_string(),
        1_000..9_950 => format!("{:.1}K", n as f64 / 1e3),
        9_950..999_500 => format!("{:.0}K", n as f64 / 1e3),
        _ => format!("{:.1}M", n as f64 / 1e6),
    }
}

/// `1 file`, `12 files`
#[must_use]
pub fn counted(n: usize, one: &str) -> String {
    format!("{} {one}{}", count(n), if n == 1 { "" } else { "s" })
}

/// `0:42`, `12:08`, `1:02:03`
#[must_use]
pub fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// `0.8 s`, then as [`clock`].
#[must_use]
pub fn duration(time: Duration) -> String {
    let tenths = time.as_millis() / 100;
    if tenths < 100 {
        format!("{}.{} s", tenths / 10, tenths % 10)
    } else {
        clock(time)
    }
}

/// What is only about right: `0.4 s`, `41 s`, `12 min`, `1 h 20 min`.
#[must_use]
pub fn about(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    let minutes = (seconds + 30) / 60;
    match seconds {
        0..2 => format!("{:.1} s", time.as_secs_f64()),
        2..100 => format!("{seconds} s"),
        100..6000 => format!("{minutes} min"),
        _ => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

/// What it takes to have a state again: `checkpoint at 180,224 of 212,480: replay 32,256 tokens, about 41 s`
#[must_use]
pub fn replay(kept: usize, of: usize, time: Option<Duration>) -> String {
    let missing = of.saturating_sub(kept);
    let tokens = counted(missing, "token");
    let what = match (kept, missing) {
        (_, 0) => return format!("checkpoint at {}: nothing to replay", count(kept)),
        (0, _) => format!("no checkpoint: replay {tokens}"),
        _ => format!("checkpoint at {} of {}: replay {tokens}", count(kept), count(of)),
    };
    // What is over before it is seen has no time.
    match time.filter(|time| time.as_millis() >= 100) {
        Some(time) => format!("{what}, about {}", about(time)),
        None => what,
    }
}

/// Tokens a second: `0.4 tok/s`, `31 tok/s`, `9.8K tok/s`, `1.2M tok/s`; nothing if unknown.
#[must_use]
pub fn rate(tokens_a_second: f64) -> Option<String> {
    if !tokens_a_second.is_finite() || tokens_a_second <= 0.0 {
        return None;
    }
    let scaled = |value: f64, unit: &str| {
        if value < 9.95 {
            format!("{value:.1}{unit} tok/s")
        } else {
            format!("{value:.0}{unit} tok/s")
        }
    };
    Some(match tokens_a_second {
        r if r < 999.5 => scaled(r, ""),
        r if r < 999_500.0 => scaled(r / 1e3, "K"),
        r => scaled(r / 1e6, "M"),
    })
}

/// `950 bytes`, `9.8 KiB`, `43 MiB`, `1.2 GiB`
#[must_use]
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1000 {
        return format!("{bytes} byte{}", if bytes == 1 { "" } else { "s" });
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let places = usize::from(value < 9.95);
    format!("{value:.places$} {}", UNITS[unit])
}

/// How much of `total` is `part`, in whole per cent; never 100 before all is done.
#[must_use]
pub fn percent(part: usize, total: usize) -> usize {
    if part >= total {
        return 100;
    }
    let share = part as f64 / total as f64 * 100.0;
    (share.round() as usize).min(99)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let sizes = [
            0,
            1,
            999,
            1000,
            10_000,
            1_000_000,
            1 << 20,
            45_000_000,
            1_300_000_000,
            u64::MAX,
        ]
        .map(bytes);
        assert_eq!(
            sizes,
            [
                "0 bytes",
                "1 byte",
                "999 bytes",
                "1.0 KiB",
                "9.8 KiB",
                "977 KiB",
                "1.0 MiB",
                "43 MiB",
                "1.2 GiB",
                "16384 PiB"
            ]
        );
    }

    #[test]
    fn numbers() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_048_576), "1,048,576");
        let shorts = [0, 999, 1_000, 9_949, 9_950, 883_512, 999_499, 999_500, 1_048_576].map(short);
        assert_eq!(
            shorts,
            ["0", "999", "1.0K", "9.9K", "10K", "884K", "999K", "1.0M", "1.0M"]
        );
        assert_eq!(counted(1, "file"), "1 file");
        assert_eq!(counted(3402, "line"), "3,402 lines");
    }

    #[test]
    fn times() {
        assert_eq!(clock(Duration::from_millis(42_900)), "0:42");
        assert_eq!(clock(Duration::from_secs(728)), "12:08");
        assert_eq!(clock(Duration::from_secs(3723)), "1:02:03");
    }

    #[test]
    fn durations() {
        assert_eq!(duration(Duration::from_millis(860)), "0.8 s");
        assert_eq!(duration(Duration::from_millis(9_999)), "9.9 s");
        assert_eq!(duration(Duration::from_secs(10)), "0:10");
    }

    #[test]
    fn rates() {
        assert_eq!(rate(0.4).as_deref(), Some("0.4 tok/s"));
        assert_eq!(rate(31.2).as_deref(), Some("31 tok/s"));
        assert_eq!(rate(9_812.0).as_deref(), Some("9.8K tok/s"));
        assert_eq!(rate(38_112.0).as_deref(), Some("38K tok/s"));
        assert_eq!(rate(999_900.0).as_deref(), Some("1.0M tok/s"));
        assert_eq!(rate(0.0), None);
        assert_eq!(rate(f64::NAN), None);
    }

    #[test]
    fn shares() {
        assert_eq!(percent(412_672, 903_104), 46);
        assert_eq!(percent(999, 1000), 99);
        assert_eq!(percent(1000, 1000), 100);
        assert_eq!(percent(0, 0), 100);
        assert_eq!(percent(usize::MAX, usize::MAX), 100);
    }
}
