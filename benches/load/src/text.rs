//! Figures as a person reads them.

use std::time::Duration;

use crate::record::Measured;

/// A time with three digits or so, such as `4.27 ms`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        _ if seconds >= 1.0 => format!("{seconds:.2} s"),
        _ if seconds >= 0.001 => format!("{:.2} ms", seconds * 1e3),
        _ => format!("{:.0} µs", seconds * 1e6),
    }
}

/// A number of bytes in binary units, such as `1.5 MiB`.
pub fn bytes(count: f64) -> String {
    let mut left = count;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if left < 1024.0 {
            let digits = usize::from(unit != "B" && left.fract() > 0.05);
            return format!("{left:.digits$} {unit}");
        }
        left /= 1024.0;
    }
    format!("{left:.1} TiB")
}

/// A few lines: throughput, latencies, errors, and what they are of.
pub fn summary(measured: &Measured) -> String {
    let latencies = &measured.latencies;
    let mut text = format!(
        "{} operations in {}: {:.1}/s, {}/s\nlatency p50 {}  p95 {}  p99 {}  max {}  mean {}\n",
        measured.operations,
        duration(measured.elapsed),
        measured.per_second(),
        bytes(measured.bytes_per_second()),
        duration(latencies.p50),
        duration(latencies.p95),
        duration(latencies.p99),
        duration(latencies.max),
        duration(latencies.mean),
    );
    text.push_str(if measured.timetable {
        "by a timetable: latencies count from when an operation was due\n"
    } else {
        "closed loop: nothing is asked while a worker waits, so a stall counts once per worker; --rate shows what users would feel\n"
    });
    text.push_str(&format!("errors {}\n", measured.failed));
    for (kind, count) in &measured.errors {
        text.push_str(&format!("  {count} x {kind}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{bytes, duration};

    #[test]
    fn figures_have_the_unit_that_fits() {
        assert_eq!(duration(Duration::from_micros(17)), "17 µs");
        assert_eq!(duration(Duration::from_micros(4270)), "4.27 ms");
        assert_eq!(duration(Duration::from_millis(2500)), "2.50 s");
        assert_eq!(bytes(1023.0), "1023 B");
        assert_eq!(bytes(1024.0), "1 KiB");
        assert_eq!(bytes(1.5 * 1024.0 * 1024.0), "1.5 MiB");
        assert_eq!(bytes(5e15), "4656.6 TiB".replace("4656.6", "4547.5"));
    }
}
