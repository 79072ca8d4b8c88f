//! The most memory this process has had at a time.

/// Forgets the peak so far, where the system can do that (Linux).
pub fn reset_peak() {
    #[cfg(target_os = "linux")]
    {
        // 5: proc_pid_clear_refs(5), since Linux 4.0. Where it is not allowed, peaks are those since the start.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
    }
}

/// Bytes resident at most since [`reset_peak`], pages of mapped files included; none where the system does not say.
#[must_use]
pub fn peak() -> Option<u64> {
    status("VmHWM:")
}

fn status(key: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_seen_after_it_is_gone() {
        let before = peak().unwrap();
        let large = vec![1_u8; 96 << 20];
        assert_eq!(std::hint::black_box(&large)[large.len() / 2], 1);
        drop(large);
        assert!(peak().unwrap() >= before.min(64 << 20) + (32 << 20));
    }
}
