//! Processes as the kernel's files tell of them: who has started whom, and the CPU that a tree has used.

use std::{fs, iter};

/// Kernel clock ticks in a second, the same on every Linux that we build for (`getconf CLK_TCK`).
const TICKS: f64 = 100.0;
/// Among the fields after a process's name.
const STATE: usize = 0;
/// User and system time; and those of children that it has waited for.
const TIMES: std::ops::RangeInclusive<usize> = 11..=14;

/// Processes that this one has started, and that it has not waited for yet.
pub fn children_of(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().filter_map(Result::ok);
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// Whether the process waits for something, and neither runs nor is on its way out.
pub fn is_asleep(pid: u32) -> bool {
    fields_of(pid).get(STATE).is_some_and(|state| state == "S")
}

/// Seconds of CPU, to a tick, that the process and all that it has started have used, in user and system mode.
/// Of one that is gone already, what its parent has waited for counts.
pub fn tree_seconds(pid: u32) -> f64 {
    let fields = fields_of(pid);
    let own = fields.get(TIMES).unwrap_or_default().iter().filter_map(|ticks| ticks.parse::<f64>().ok());
    let own = own.sum::<f64>() / TICKS;
    iter::once(own).chain(children_of(pid).into_iter().map(tree_seconds)).sum()
}

/// Seconds of CPU, exactly, that the threads which the process has now have used.
pub fn thread_seconds(pid: u32) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().filter_map(Result::ok);
    let used = tasks.filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok());
    used.filter_map(|used| used.split(' ').next()?.parse::<f64>().ok()).sum::<f64>() / 1e9
}

fn fields_of(pid: u32) -> Vec<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The second field is the name in parentheses and may hold anything.
    stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn child_is_asleep_until_it_has_something_to_do_and_its_cpu_counts() {
        let mut shell = Command::new("sh")
            .args(["-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; read word"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = [0; 5];
        std::io::Read::read_exact(shell.stdout.as_mut().unwrap(), &mut said).unwrap();
        while !is_asleep(shell.id()) {
            std::thread::yield_now();
        }
        assert!(children_of(std::process::id()).contains(&shell.id()));
        let used = tree_seconds(shell.id());
        assert!(used > 0.0, "a loop took no time");
        assert!((thread_seconds(shell.id()) - used).abs() < 0.03, "a tick is 10 ms");
        assert!(tree_seconds(std::process::id()) >= used);
        shell.wait().unwrap();
        assert!(!children_of(std::process::id()).contains(&shell.id()));
        assert!(!is_asleep(shell.id()));
    }
}
