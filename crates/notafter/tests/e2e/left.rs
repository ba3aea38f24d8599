//! What a run may have left behind.

use std::time::Duration;

/// Waits until no process names `marker` as a word of its command line, nor is part of a sandbox of `runner`.
pub(super) fn nothing_is_left(runner: u32, marker: &str) {
    for _ in 0..500 {
        if left(runner, marker).is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("left after 5 s: {:?}", left(runner, marker));
}

fn left(runner: u32, marker: &str) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).into_owned());
    let sandbox = format!("__sandbox\0{runner}\0");
    lines.filter(|line| line.contains(&sandbox) || line.split('\0').any(|word| word == marker)).collect()
}
