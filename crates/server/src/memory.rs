//! How much memory this process may take, so that what it remembers can grow with the machine.

use std::path::{Path, PathBuf};

/// What is assumed where nothing is told: a small machine.
const UNKNOWN: u64 = 1024 * 1024 * 1024;

/// Returns the bytes of memory that this process may take together with all others: what the machine
/// has, or less where a limit is set for the group of processes that it is in.
pub fn bytes() -> u64 {
    least(|path| std::fs::read_to_string(path).ok())
}

fn least(read: impl Fn(&Path) -> Option<String>) -> u64 {
    let machine = read(Path::new("/proc/meminfo")).and_then(|text| total(&text));
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let limits = groups.lines().flat_map(limits);
    let limits = limits.filter_map(|file| read(&file)?.trim().parse().ok());
    limits.chain(machine).min().unwrap_or(UNKNOWN)
}

/// Returns what a machine has, as Linux tells it.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// Returns the files that may hold a limit of a group and of those around it. A line of
/// `/proc/self/cgroup` reads `number:controllers:path`, where the second version of groups has no
/// controllers. Where there is no limit, a file says `max`, or a number beyond all machines.
fn limits(line: &str) -> Vec<PathBuf> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
        return Vec::new();
    };
    let (root, file) = match controllers {
        "" => ("/sys/fs/cgroup", "memory.max"),
        controllers if controllers.split(',').any(|name| name == "memory") => {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        }
        _ => return Vec::new(),
    };
    let path = Path::new(path.trim_start_matches('/'));
    path.ancestors()
        .map(|group| Path::new(root).join(group).join(file))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{UNKNOWN, least};

    const MACHINE: &str = "MemTotal:       24684092 kB\nMemFree:         1000000 kB\n";

    fn found(files: &[(&str, &str)]) -> u64 {
        least(|asked| {
            let file = files.iter().find(|(path, _)| Path::new(path) == asked);
            file.map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn the_least_of_the_machine_and_all_groups_around_a_process_is_taken() {
        let machine = ("/proc/meminfo", MACHINE);
        let second = ("/proc/self/cgroup", "0::/system.slice/sluice.service\n");
        let first = (
            "/proc/self/cgroup",
            "9:name=systemd:/x\n4:cpu,memory:/box\n0::/\n",
        );
        let all = 24_684_092 * 1024;
        let cases: [(&[(&str, &str)], u64); 6] = [
            (&[], UNKNOWN),
            (&[machine], all),
            (
                &[machine, second, ("/sys/fs/cgroup/memory.max", "max\n")],
                all,
            ),
            (
                &[
                    machine,
                    second,
                    ("/sys/fs/cgroup/system.slice/memory.max", "2000000\n"),
                    (
                        "/sys/fs/cgroup/system.slice/sluice.service/memory.max",
                        "3000000\n",
                    ),
                ],
                2_000_000,
            ),
            (
                &[
                    machine,
                    first,
                    ("/sys/fs/cgroup/memory/box/memory.limit_in_bytes", "4000\n"),
                ],
                4_000,
            ),
            (
                &[
                    machine,
                    first,
                    (
                        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                        "9223372036854771712\n",
                    ),
                ],
                all,
            ),
        ];
        for (files, expected) in cases {
            assert_eq!(found(files), expected, "{files:?}");
        }
    }
}
