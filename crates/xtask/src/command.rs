//! Running other programs: with progress, with a time limit, and never leaving
//! one behind.
//!
//! Every child leads a process group of its own, so that stopping it stops what
//! it started. A signal to this program stops all groups before it ends.

use std::ffi::OsStr;
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Why a command could not do its work, said to the person who typed it.
#[derive(Debug)]
pub(crate) struct Failure(String);

/// What most steps return.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// A failure with a message: what went wrong, then what to do.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Says what was being done when the system refused.
pub(crate) trait Context<T> {
    /// Turns the system's error into a `Failure` that begins with `doing`.
    fn context(self, doing: impl FnOnce() -> String) -> Outcome<T>;
}

impl<T, E: fmt::Display> Context<T> for Result<T, E> {
    fn context(self, doing: impl FnOnce() -> String) -> Outcome<T> {
        self.map_err(|error| Failure(format!("{}: {error}", doing())))
    }
}

/// Tells the person what happens now, on standard error.
pub(crate) fn progress(line: impl fmt::Display) {
    eprintln!("==> {line}");
}

/// Prints a result on standard output, which holds nothing else.
pub(crate) fn say(line: impl fmt::Display) {
    let mut out = std::io::stdout().lock();
    // A reader that went away is no reason to fail.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Leaders of the process groups that have to end before this program does.
static GROUPS: Mutex<Vec<u32>> = Mutex::new(Vec::new());

fn groups() -> MutexGuard<'static, Vec<u32>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes SIGINT, SIGTERM and SIGHUP stop every child before this program ends.
pub(crate) fn stop_children_on_signals() {
    let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP]) else {
        return;
    };
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            let leaders = groups().clone();
            stop_groups(&leaders);
            std::process::exit(128 + signal);
        }
    });
}

/// How long a stopped child may take to put its things in order.
const STOP_LIMIT: Duration = Duration::from_secs(15);

fn stop_groups(leaders: &[u32]) {
    let alive = |leader: &u32| signal_group("-0", *leader);
    for leader in leaders {
        signal_group("-TERM", *leader);
    }
    let begun = Instant::now();
    while begun.elapsed() < STOP_LIMIT && leaders.iter().any(alive) {
        std::thread::sleep(Duration::from_millis(50));
    }
    for leader in leaders.iter().filter(|leader| alive(leader)) {
        signal_group("-KILL", *leader);
    }
}

/// Sends a signal to a process group; true if there was one to send it to.
///
/// Through the shell, because the standard library can only kill.
fn signal_group(signal: &str, leader: u32) -> bool {
    Command::new("/bin/sh")
        .args(["-c", &format!("kill {signal} -{leader}")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A child that is running, stopped when this value goes.
pub(crate) struct Running {
    child: Child,
    shown: String,
}

impl Running {
    /// Starts a program. Its standard input is empty.
    pub(crate) fn start(command: &mut Command) -> Outcome<Self> {
        let shown = shown(command);
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .spawn()
            .context(|| format!("starting `{shown}`"))?;
        groups().push(child.id());
        Ok(Self { child, shown })
    }

    /// Id of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Takes the reading end of the child's standard output, if it was piped.
    pub(crate) fn output(&mut self) -> Option<impl BufRead + Send + use<>> {
        self.child.stdout.take().map(BufReader::new)
    }

    /// True once the child has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Ends the child and what it started at once, without asking.
    pub(crate) fn kill(mut self) {
        signal_group("-KILL", self.child.id());
        let _ = self.child.wait();
    }

    /// Waits for the end; true if it was a good one.
    pub(crate) fn wait(mut self) -> Outcome<bool> {
        let status = self
            .child
            .wait()
            .context(|| format!("waiting for `{}`", self.shown))?;
        if let Some(signal) = status.signal() {
            progress(format_args!(
                "`{}` was ended by signal {signal}",
                self.shown
            ));
        }
        Ok(status.success())
    }

    /// Waits at most so long; `None` if the child had to be stopped.
    fn wait_at_most(mut self, limit: Duration) -> Option<bool> {
        let begun = Instant::now();
        while begun.elapsed() < limit {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status.success()),
                Ok(None) => std::thread::sleep(Duration::from_millis(50)),
                Err(_) => return Some(false),
            }
        }
        None
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let leader = self.child.id();
        if !self.has_ended() {
            signal_group("-TERM", leader);
            let begun = Instant::now();
            while begun.elapsed() < STOP_LIMIT && !self.has_ended() {
                std::thread::sleep(Duration::from_millis(20));
            }
            // What the child itself started and left behind goes with it.
            signal_group("-KILL", leader);
            let _ = self.child.wait();
        }
        groups().retain(|other| *other != leader);
    }
}

/// Runs a program to its end with its output shown; a bad end is a failure.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let shown = shown(command);
    if succeeds(command)? {
        Ok(())
    } else {
        Err(Failure(format!(
            "`{shown}` failed; its own words are above."
        )))
    }
}

/// Runs a program to its end with its output shown; true if it ended well.
pub(crate) fn succeeds(command: &mut Command) -> Outcome<bool> {
    Running::start(command)?.wait()
}

/// Runs a program quietly with a time limit; true if it ended well in time.
pub(crate) fn succeeds_within(command: &mut Command, limit: Duration) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Running::start(command).is_ok_and(|child| child.wait_at_most(limit) == Some(true))
}

/// Runs a program quietly and returns what it printed, without the last line
/// end; `None` if it is not there or ended badly.
pub(crate) fn answer(command: &mut Command) -> Option<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim_end().to_owned())
}

/// Runs a program with its output shown and gives each line of its standard
/// output to `line` as well; true if it ended well.
pub(crate) fn run_reading(command: &mut Command, mut line: impl FnMut(&str)) -> Outcome<bool> {
    let mut child = Running::start(command.stdout(Stdio::piped()))?;
    if let Some(mut output) = child.output() {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let read = output.by_ref().read_until(b'\n', &mut bytes);
            if !matches!(read, Ok(1..)) {
                break;
            }
            let text = String::from_utf8_lossy(&bytes);
            eprint!("{text}");
            line(text.trim_end());
        }
    }
    child.wait()
}

/// Finds a program on the path.
pub(crate) fn find(name: &str) -> Option<std::path::PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata()
        .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

fn shown(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::{Command, Duration, Instant, Running, answer, find, run_reading, succeeds_within};

    #[test]
    fn a_dropped_child_takes_what_it_started_with_it() {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "sleep 600 & echo $!; wait"])
            .stdout(std::process::Stdio::piped());
        let mut child = Running::start(&mut shell).expect("there is a shell");
        let mut line = String::new();
        let mut output = child.output().expect("it was piped");
        std::io::BufRead::read_line(&mut output, &mut line).expect("the shell prints a line");
        drop(child);
        let state = answer(Command::new("ps").args(["-o", "stat=", "-p", line.trim()]));
        assert!(
            state.is_none_or(|state| state.starts_with('Z')),
            "the grandchild still runs"
        );
    }

    #[test]
    fn a_program_that_takes_too_long_is_stopped() {
        let begun = Instant::now();
        assert!(!succeeds_within(
            Command::new("sleep").arg("600"),
            Duration::from_millis(100)
        ));
        assert!(begun.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn each_line_of_a_programs_output_is_read() {
        let mut lines = Vec::new();
        let ended_well = run_reading(Command::new("printf").arg("one\ntwo"), |line| {
            lines.push(line.to_owned())
        });
        assert!(ended_well.is_ok_and(|ended_well| ended_well));
        assert_eq!(lines, ["one", "two"]);
    }

    #[test]
    fn only_programs_are_found() {
        assert!(find("sh").is_some());
        assert!(find("no-such-program-anywhere").is_none());
    }
}
