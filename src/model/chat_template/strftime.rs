//! Dates for templates that ask for one, in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// From the weekday of 1970-01-01.
const DAYS: [&str; 7] = [
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
];

/// The commonest fields of C's `strftime`; others are left as they are.
pub(super) fn strftime(format: &str, now: SystemTime) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let (days, clock) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (month_name, day_name) = (MONTHS[month - 1], DAYS[(days % 7) as usize]);
    let field = |letter: char| match letter {
        'Y' => year.to_string(),
        'm' => format!("{month:02}"),
        'd' => format!("{day:02}"),
        'B' => month_name.to_owned(),
        'b' => month_name[..3].to_owned(),
        'A' => day_name.to_owned(),
        'a' => day_name[..3].to_owned(),
        'H' => format!("{:02}", clock / 3600),
        'M' => format!("{:02}", clock / 60 % 60),
        'S' => format!("{:02}", clock % 60),
        '%' => "%".to_owned(),
        other => format!("%{other}"),
    };
    let mut text = String::new();
    let mut characters = format.chars();
    while let Some(c) = characters.next() {
        if c == '%' {
            text.push_str(&characters.next().map_or_else(|| "%".to_owned(), field));
        } else {
            text.push(c);
        }
    }
    text
}

/// Year, month and day of a day counted from 1970-01-01, by the Gregorian calendar. Years are counted from March, so
/// that a leap day is the last of its year.
fn civil(days: u64) -> (u64, usize, u64) {
    let day = days + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month as usize, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dates_are_gregorian() {
        let at = |days: u64| {
            let now = UNIX_EPOCH + Duration::from_secs(days * 86_400 + 3_661);
            strftime("%Y-%m-%d %a %B %H:%M:%S %% %q %", now)
        };
        assert_eq!(at(0), "1970-01-01 Thu January 01:01:01 % %q %");
        assert_eq!(at(11_016), "2000-02-29 Tue February 01:01:01 % %q %");
        assert_eq!(at(20_454), "2026-01-01 Thu January 01:01:01 % %q %");
    }
}
