//! Times as people and programs read them.

use storage_node_api::Timestamp;

const SECONDS_PER_DAY: i64 = 86_400;

/// A time in the form of RFC 3339, in UTC.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    let seconds = i64::try_from(time.seconds()).unwrap_or(i64::MAX);
    rfc3339_at(seconds, 0)
}

/// Seconds since the Unix epoch in the form of RFC 3339, as a clock so many
/// minutes east of Greenwich shows it. Years outside 0 to 9999, which the form
/// cannot say, are shown as the nearest it can.
pub(crate) fn rfc3339_at(seconds: i64, offset_minutes: i32) -> String {
    // 0000-01-02 and 9999-12-30: whatever the offset, the year stays in range.
    const FIRST: i64 = -62_167_132_800;
    const LAST: i64 = 253_402_128_000;
    let offset = if offset_minutes.abs() < 24 * 60 {
        i64::from(offset_minutes)
    } else {
        0
    };
    let local = seconds.clamp(FIRST, LAST) + offset * 60;
    let (year, month, day) = civil(local.div_euclid(SECONDS_PER_DAY));
    let second = local.rem_euclid(SECONDS_PER_DAY);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let date = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if offset == 0 {
        return format!("{date}Z");
    }
    let sign = if offset < 0 { '-' } else { '+' };
    format!(
        "{date}{sign}{:02}:{:02}",
        offset.abs() / 60,
        offset.abs() % 60
    )
}

/// The same as mails have it (RFC 2822).
pub(crate) fn rfc2822(seconds: i64, offset_minutes: i32) -> String {
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let text = rfc3339_at(seconds, offset_minutes);
    let offset = match text.get(19..) {
        Some("Z") | None => "+0000".to_owned(),
        Some(offset) => offset.replace(':', ""),
    };
    let local = seconds.saturating_add(i64::from(offset_minutes) * 60);
    let weekday = WEEKDAYS[local.div_euclid(SECONDS_PER_DAY).rem_euclid(7) as usize];
    let month: usize = text[5..7].parse().unwrap_or(1);
    let day = text[8..10].trim_start_matches('0');
    let (month, year, time) = (MONTHS[month - 1], &text[..4], &text[11..19]);
    format!("{weekday}, {day} {month} {year} {time} {offset}")
}

/// The day alone, in UTC.
pub(crate) fn day(seconds: i64) -> String {
    rfc3339_at(seconds, 0)[..10].to_owned()
}

/// Year, month and day of a day counted from the Unix epoch, in the Gregorian
/// calendar (Howard Hinnant's `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use storage_node_api::Timestamp;

    use super::{day, rfc2822, rfc3339, rfc3339_at};

    #[test]
    fn times_are_those_of_the_calendar() {
        let cases = [
            (0, 0, "1970-01-01T00:00:00Z"),
            (951_782_400, 0, "2000-02-29T00:00:00Z"),
            (1_735_689_599, 0, "2024-12-31T23:59:59Z"),
            (1_735_689_599, 120, "2025-01-01T01:59:59+02:00"),
            (0, -90, "1969-12-31T22:30:00-01:30"),
            (-1, 0, "1969-12-31T23:59:59Z"),
            (0, i32::MIN + 1, "1970-01-01T00:00:00Z"),
        ];
        for (seconds, offset, expected) in cases {
            assert_eq!(rfc3339_at(seconds, offset), expected);
        }
        assert_eq!(rfc3339(Timestamp(1_500)), "1970-01-01T00:00:01Z");
        assert_eq!(day(86_400), "1970-01-02");
        for extreme in [i64::MIN, i64::MAX] {
            assert_eq!(rfc3339_at(extreme, 0).len(), 20);
        }
    }

    #[test]
    fn mails_have_times_as_git_writes_them() {
        let time = rfc2822(1_600_000_000, 120);
        assert_eq!(time, "Sun, 13 Sep 2020 14:26:40 +0200");
        assert_eq!(rfc2822(0, 0), "Thu, 1 Jan 1970 00:00:00 +0000");
    }
}
