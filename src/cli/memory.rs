//! How much memory the machine has free.

/// Bytes of all memory; none where that cannot be asked.
#[cfg(target_os = "linux")]
pub(super) fn total() -> Option<usize> {
    field("MemTotal:")
}

#[cfg(not(target_os = "linux"))]
pub(super) fn total() -> Option<usize> {
    None
}

#[cfg(target_os = "linux")]
fn field(name: &str) -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Bytes that can be taken without others having to leave; none where that cannot be asked.
#[cfg(target_os = "linux")]
pub(super) fn available() -> Option<usize> {
    let machine = field("MemAvailable:")?;
    // A group of processes may be allowed less than there is.
    let limit = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ]
    .iter()
    .filter_map(|path| std::fs::read_to_string(path).ok()?.trim().parse().ok())
    .min();
    Some(limit.map_or(machine, |limit: usize| machine.min(limit)))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn available() -> Option<usize> {
    None
}
