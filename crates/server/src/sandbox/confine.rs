//! Takes from this process what its job must not have: files, network, other processes, memory and
//! time without end. What is taken cannot be had again, by whatever runs here.
//!
//! Whoever breaks out of an interpreter or a compiler is in a process that can read its standard
//! input, write its standard output, ask for memory and for the time, and end.

use std::io;

/// What a process may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Processor time, in seconds, after which the kernel ends the process.
    pub(crate) cpu_seconds: u64,
    /// Address space beyond what the process had at its beginning, in bytes.
    pub(crate) address_space: u64,
}

/// How much less of a busy processor it gets than the server, as `nice` counts.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Confines this process for the rest of its life.
///
/// # Errors
/// When the system refuses: then nothing may be done here.
#[cfg(target_os = "linux")]
pub(crate) fn confine(limits: Limits) -> io::Result<()> {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};

    // Ends with the server, also when that is killed.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // Nobody with the same user can read its memory.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    rustix::thread::set_no_new_privs(true)?;
    // Runs, pages and webhooks come before what only computes.
    rustix::process::nice(NICE)?;
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    let pages: Option<u64> = pages.split(' ').next().and_then(|pages| pages.parse().ok());
    let pages = pages.ok_or_else(|| io::Error::other("/proc/self/statm is not to be read"))?;
    let had = pages * rustix::param::page_size() as u64;
    let memory = had + limits.address_space;
    for (resource, current, maximum) in [
        (Resource::As, memory, memory),
        // At the first it is told by a signal that says why, at the second it is over.
        (Resource::Cpu, limits.cpu_seconds, limits.cpu_seconds + 1),
        (Resource::Core, 0, 0),
        (Resource::Fsize, 0, 0),
        (Resource::Memlock, 0, 0),
        (Resource::Msgqueue, 0, 0),
        (Resource::Nofile, 0, 0),
        (Resource::Nproc, 0, 0),
    ] {
        let limit = Rlimit {
            current: Some(current),
            maximum: Some(maximum),
        };
        rustix::process::setrlimit(resource, limit)?;
    }
    let filter = calls::filter().map_err(io::Error::other)?;
    seccompiler::apply_filter(&filter).map_err(io::Error::other)
}

/// Elsewhere there is no such confinement, and so no code runs and no module is tried.
#[cfg(not(target_os = "linux"))]
pub(crate) fn confine(limits: Limits) -> io::Result<()> {
    let Limits {
        cpu_seconds,
        address_space,
    } = limits;
    Err(io::Error::other(format!(
        "only Linux can keep a process within {cpu_seconds} s and {address_space} bytes, and away from all else"
    )))
}

#[cfg(target_os = "linux")]
mod calls {
    use std::collections::BTreeMap;

    use seccompiler::{
        BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
        SeccompFilter, SeccompRule,
    };

    /// Calls that do nothing to the world outside: memory, time, randomness, and the end.
    const FREE: [i64; 22] = [
        libc::SYS_brk,
        libc::SYS_clock_getres,
        libc::SYS_clock_gettime,
        libc::SYS_exit,
        libc::SYS_exit_group,
        libc::SYS_futex,
        libc::SYS_getpid,
        libc::SYS_getrandom,
        libc::SYS_gettid,
        libc::SYS_gettimeofday,
        libc::SYS_madvise,
        libc::SYS_mremap,
        libc::SYS_munmap,
        libc::SYS_nanosleep,
        libc::SYS_clock_nanosleep,
        libc::SYS_restart_syscall,
        libc::SYS_rseq,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sched_yield,
        libc::SYS_sigaltstack,
    ];

    /// Returns the filter: what is not named here fails with `EPERM`, also what a later kernel or
    /// library brings, and a call by another convention than ours ends the process.
    pub(super) fn filter() -> Result<BpfProgram, BackendError> {
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
            FREE.iter().map(|call| (*call, Vec::new())).collect();
        // No descriptor but these two, whatever the server itself may have been started with.
        rules.insert(libc::SYS_read, only(0, 0)?);
        rules.insert(libc::SYS_write, only(0, 1)?);
        // No memory that can be executed, with which machine code could be brought in, and none that
        // is a file: of a descriptor that the server was started with, that would be a way to it.
        rules.insert(
            libc::SYS_mmap,
            all([without_execution()?, is_set(3, libc::MAP_ANONYMOUS as u64)?])?,
        );
        rules.insert(libc::SYS_mprotect, all([without_execution()?])?);
        SeccompFilter::new(
            rules,
            SeccompAction::Errno(libc::EPERM as u32),
            SeccompAction::Allow,
            std::env::consts::ARCH.try_into()?,
        )?
        .try_into()
    }

    fn only(argument: u8, value: u64) -> Result<Vec<SeccompRule>, BackendError> {
        all([condition(argument, SeccompCmpOp::Eq, value)?])
    }

    fn without_execution() -> Result<SeccompCondition, BackendError> {
        condition(2, SeccompCmpOp::MaskedEq(libc::PROT_EXEC as u64), 0)
    }

    fn is_set(argument: u8, flag: u64) -> Result<SeccompCondition, BackendError> {
        condition(argument, SeccompCmpOp::MaskedEq(flag), flag)
    }

    fn condition(
        argument: u8,
        operator: SeccompCmpOp,
        value: u64,
    ) -> Result<SeccompCondition, BackendError> {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
    }

    /// Returns the rule of a call that is allowed where all of the conditions hold.
    fn all<const N: usize>(
        conditions: [SeccompCondition; N],
    ) -> Result<Vec<SeccompRule>, BackendError> {
        Ok(vec![SeccompRule::new(conditions.into())?])
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs::{self, File};
    use std::io::{self, Write};
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::UnixStream;
    use std::process::{Command, Stdio, exit};

    use super::{Limits, confine};

    /// Says to the test below that it is in the process that it started.
    const INSIDE: &str = "SLUICE_TEST_CONFINED";

    /// Returns what still works for native code after [`confine`].
    fn attempts(file: &str, port: u16) -> Vec<(&'static str, bool)> {
        let made = format!("{file}.made");
        let copied = format!("{file}.copy");
        vec![
            ("read a file", fs::read(file).is_ok()),
            ("make a file", File::create(&made).is_ok()),
            ("make a folder", fs::create_dir(&made).is_ok()),
            ("remove a file", fs::remove_file(file).is_ok()),
            ("rename a file", fs::rename(file, &made).is_ok()),
            ("link a file", fs::hard_link(file, &copied).is_ok()),
            (
                "link to a file",
                std::os::unix::fs::symlink(file, &copied).is_ok(),
            ),
            ("look at a file", fs::metadata(file).is_ok()),
            ("list a folder", fs::read_dir("/").is_ok()),
            ("read where it is", std::env::current_dir().is_ok()),
            ("go elsewhere", std::env::set_current_dir("/tmp").is_ok()),
            ("read its own binary", fs::read("/proc/self/exe").is_ok()),
            ("read its memory", File::open("/proc/self/mem").is_ok()),
            (
                "read its environment",
                fs::read("/proc/self/environ").is_ok(),
            ),
            (
                "read its descriptors",
                fs::read_dir("/proc/self/fd").is_ok(),
            ),
            ("read names of the server", fs::read("/etc/passwd").is_ok()),
            ("connect", TcpStream::connect(("127.0.0.1", port)).is_ok()),
            ("listen", TcpListener::bind("127.0.0.1:0").is_ok()),
            ("send", UdpSocket::bind("127.0.0.1:0").is_ok()),
            (
                "connect to a socket",
                UnixStream::connect("/tmp/none").is_ok(),
            ),
            ("make a pair of sockets", UnixStream::pair().is_ok()),
            ("make a pipe", io::pipe().is_ok()),
            (
                "start a process",
                Command::new("/bin/true")
                    .stdin(Stdio::null())
                    .spawn()
                    .is_ok(),
            ),
            (
                "start a thread",
                std::thread::Builder::new().spawn(|| {}).is_ok(),
            ),
            (
                "write elsewhere than to its output",
                io::stderr().write(b"x").is_ok(),
            ),
            ("raise its limits", {
                let most = rustix::process::Rlimit {
                    current: None,
                    maximum: None,
                };
                rustix::process::setrlimit(rustix::process::Resource::Nofile, most).is_ok()
            }),
            ("end its parent", {
                let parent = rustix::process::Pid::INIT;
                rustix::process::kill_process(parent, rustix::process::Signal::CONT).is_ok()
            }),
            ("be looked into again", {
                let behavior = rustix::process::DumpableBehavior::Dumpable;
                rustix::process::set_dumpable_behavior(behavior).is_ok()
            }),
            (
                "take all memory",
                Vec::<u8>::new().try_reserve_exact(1 << 30).is_ok(),
            ),
        ]
    }

    /// The interpreter is no border that is trusted. Native code that has broken out of it is played
    /// here by a process of this test, which tries everything after it was confined.
    #[test]
    fn native_code_that_broke_out_finds_nothing_that_works() {
        if let Ok(given) = std::env::var(INSIDE) {
            let (file, port) = given.rsplit_once(' ').expect("the test below gives both");
            let port = port.parse().expect("it is a number");
            assert!(
                attempts(file, port)
                    .iter()
                    .filter(|(_, works)| *works)
                    .count()
                    > 20
            );
            fs::write(file, "canary").expect("it is not confined yet");
            let _ = fs::remove_file(format!("{file}.made"));
            let _ = fs::remove_dir_all(format!("{file}.made"));
            let _ = fs::remove_file(format!("{file}.copy"));
            let confined = confine(Limits {
                cpu_seconds: 12,
                address_space: 192 * 1024 * 1024,
            });
            let works = attempts(file, port).into_iter();
            let works: Vec<&str> = works
                .filter(|(_, works)| *works)
                .map(|(what, _)| what)
                .collect();
            let said = format!(
                "\nconfined: {} works: {}\n",
                confined.is_ok(),
                works.join(", ")
            );
            let _ = io::stdout().write_all(said.as_bytes());
            exit(0);
        }
        let folder = std::env::temp_dir().join(format!("sluice-confined-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("there is room");
        let file = folder.join("canary");
        fs::write(&file, "canary").expect("there is room");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it listens").port();
        let output = Command::new(std::env::current_exe().expect("it runs"))
            .args([
                "--exact",
                "sandbox::confine::tests::native_code_that_broke_out_finds_nothing_that_works",
            ])
            .env(INSIDE, format!("{} {port}", file.display()))
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&output.stdout);
        let line = said.lines().find(|line| line.starts_with("confined: "));
        assert_eq!(line, Some("confined: true works: "), "{said}");
        assert_eq!(fs::read_to_string(&file).expect("it is there"), "canary");
        assert_eq!(fs::read_dir(&folder).expect("it is there").count(), 1);
        fs::remove_dir_all(&folder).expect("it is ours");
    }
}
