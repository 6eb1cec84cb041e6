//! A compiler for both targets: the server's and wasm32.
//!
//! Three roads, the first that is open is taken: the active toolchain if it has
//! (or rustup can add) the wasm32 standard library; a toolchain called `sluice`
//! made earlier; Debian's `rustc-web` with a standard library built from its
//! packaged sources. One compiler serves both targets, else `target/` would be
//! built twice.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::command::{self, Context, Failure, Outcome, answer, find, progress, run};
use crate::project::Project;
use crate::setup::system;

const TARGET: &str = "wasm32-unknown-unknown";
/// The name under which rustup knows the toolchain that this module puts together.
const LINKED: &str = "sluice";
const LINKER: &str = "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER";
/// A download that is on its way gets this long, a network that answers nothing too.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(180);

/// The compiler that every build of a command uses.
pub(crate) struct Toolchain {
    /// Root of the private copy and the linker for wasm32; `None`: the active toolchain.
    private: Option<(PathBuf, PathBuf)>,
}

impl Toolchain {
    /// Finds or makes a compiler that builds for wasm32 as well.
    pub(crate) fn ready(project: &Project) -> Outcome<Self> {
        let active = Self { private: None };
        let root = private_root(project);
        if sysroot(&mut active.command("rustc")).is_none_or(|sysroot| sysroot != root) {
            if active.has_wasm() {
                return Ok(active);
            }
            if !root.exists() && find("rustup").is_some() {
                progress(format_args!(
                    "Adding the target {TARGET} to the active Rust toolchain"
                ));
                let mut add = Command::new("rustup");
                if command::succeeds_within(add.args(["target", "add", TARGET]), DOWNLOAD_LIMIT)
                    && active.has_wasm()
                {
                    return Ok(active);
                }
                progress(
                    "rustup could not add it; taking the compiler of Debian's packages instead",
                );
            }
        }
        from_debian(project, root)
    }

    /// A `cargo` that uses this compiler.
    pub(crate) fn cargo(&self) -> Command {
        self.command("cargo")
    }

    /// A component of cargo such as `fmt` or `clippy`, run on the repository: this
    /// compiler's, else the active toolchain's, since Debian's compiler has none.
    pub(crate) fn tool(&self, project: &Project, component: &str) -> Outcome<Command> {
        let works = |cargo: Command| {
            let mut cargo = cargo;
            cargo
                .args([component, "--version"])
                .current_dir(&project.root);
            answer(&mut cargo).is_some()
        };
        let active = Self { private: None };
        let package = if component == "fmt" {
            "rustfmt"
        } else {
            component
        };
        let chosen = [self, &active]
            .into_iter()
            .find(|toolchain| works(toolchain.cargo()))
            .or_else(|| {
                progress(format_args!(
                    "Adding {package} to the active Rust toolchain"
                ));
                let mut add = Command::new("rustup");
                command::succeeds_within(add.args(["component", "add", package]), DOWNLOAD_LIMIT);
                works(active.cargo()).then_some(&active)
            });
        let toolchain = chosen.ok_or_else(|| {
            Failure::new(format!(
                "`cargo {component}` is not installed. Run: rustup component add {package}"
            ))
        })?;
        let mut cargo = toolchain.cargo();
        cargo.arg(component).current_dir(&project.root);
        Ok(cargo)
    }

    /// The name to show to a person.
    pub(crate) fn name(&self) -> String {
        answer(self.command("rustc").arg("--version")).unwrap_or_default()
    }

    /// True if this is the compiler of Debian's packages, which brings no tools.
    pub(crate) fn is_private(&self) -> bool {
        self.private.is_some()
    }

    /// What to set in a shell to build with this compiler by hand; `None`: nothing.
    pub(crate) fn exports(&self) -> Option<String> {
        let (root, linker) = self.private.as_ref()?;
        let choice = if find("rustup").is_some() {
            format!("RUSTUP_TOOLCHAIN={LINKED}")
        } else {
            format!("PATH={}/bin:$PATH", root.display())
        };
        Some(format!("export {choice} {LINKER}={}", linker.display()))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        // Queries are checked against the committed data, whatever database is set.
        command.env("SQLX_OFFLINE", "true");
        if let Some((root, linker)) = &self.private {
            if find("rustup").is_some() {
                command.env("RUSTUP_TOOLCHAIN", LINKED);
            } else {
                let path = std::env::var_os("PATH").unwrap_or_default();
                let folders = std::iter::once(root.join("bin")).chain(std::env::split_paths(&path));
                if let Ok(path) = std::env::join_paths(folders) {
                    command.env("PATH", path);
                }
                command
                    .env("RUSTC", root.join("bin/rustc"))
                    .env("RUSTDOC", root.join("bin/rustdoc"));
            }
            command.env(LINKER, linker);
        }
        clean(&mut command);
        command
    }

    fn has_wasm(&self) -> bool {
        answer(
            self.command("rustc")
                .args(["--print", "target-libdir", "--target", TARGET]),
        )
        .is_some_and(|folder| has_core(Path::new(&folder)))
    }
}

/// Takes away what `cargo run` set for this program: seen by another `cargo`, it
/// would count as a change and build everything again.
pub(crate) fn clean(command: &mut Command) {
    let own = |name: &str| {
        [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_BIN_",
            "CARGO_CRATE_",
        ]
        .iter()
        .any(|start| name.starts_with(start))
            || matches!(name, "CARGO" | "LD_LIBRARY_PATH" | "CARGO_PRIMARY_PACKAGE")
    };
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(own) {
            command.env_remove(name);
        }
    }
}

fn has_core(folder: &Path) -> bool {
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
}

fn private_root(project: &Project) -> PathBuf {
    project.cache.join("toolchain")
}

fn sysroot(rustc: &mut Command) -> Option<PathBuf> {
    answer(rustc.args(["--print", "sysroot"])).map(PathBuf::from)
}

fn from_debian(project: &Project, root: PathBuf) -> Outcome<Toolchain> {
    let system_root = Path::new("/usr/lib/rustlib");
    let is_recent = || {
        answer(Command::new("/usr/bin/rustc").arg("--version"))
            .and_then(|version| version.split('.').nth(1)?.parse().ok())
            .is_some_and(|minor: u32| minor >= project.rust_minor)
    };
    if !(is_recent() && Path::new("/usr/bin/cargo").exists() && system_root.join("src").exists()) {
        system::install(
            &["rustc-web", "cargo-web", "rust-web-src"],
            "a Rust compiler with its sources, since the wasm32 target cannot be downloaded",
        )?;
    }
    let version = answer(Command::new("/usr/bin/rustc").arg("-Vv"))
        .ok_or_else(|| Failure::new("/usr/bin/rustc does not run. Install rustc-web anew, or run: rustup target add wasm32-unknown-unknown"))?;
    let linker = wasm_linker(&version)?;
    let stamp = root.join("version");
    if std::fs::read_to_string(&stamp).is_ok_and(|made_for| made_for == version) {
        link(&root)?;
        return Ok(Toolchain {
            private: Some((root, linker)),
        });
    }
    progress(format_args!(
        "Putting together a compiler in {}",
        root.display()
    ));
    copy_of_sysroot(&root, system_root).context(|| format!("writing {}", root.display()))?;
    link(&root)?;
    let toolchain = Toolchain {
        private: Some((root.clone(), linker)),
    };
    standard_library(project, &toolchain, &root)?;
    std::fs::write(&stamp, version).context(|| format!("writing {}", stamp.display()))?;
    Ok(toolchain)
}

/// Debian's files by symbolic link, with room for one more target beside them.
fn copy_of_sysroot(root: &Path, system_root: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{PermissionsExt, symlink};
    if root.exists() {
        std::fs::remove_dir_all(root)?;
    }
    let libraries = root.join("lib/rustlib");
    std::fs::create_dir_all(&libraries)?;
    std::fs::create_dir_all(root.join("bin"))?;
    for entry in std::fs::read_dir(system_root)? {
        let entry = entry?;
        if entry.file_name() != TARGET {
            symlink(entry.path(), libraries.join(entry.file_name()))?;
        }
    }
    symlink("/usr/bin/cargo", root.join("bin/cargo"))?;
    // A link would not do: the compiler looks for its libraries beside the file it
    // was really started from.
    for program in ["rustc", "rustdoc"] {
        let script = format!(
            "#!/bin/sh\nexec /usr/bin/{program} --sysroot '{}' \"$@\"\n",
            root.display()
        );
        let path = root.join("bin").join(program);
        std::fs::write(&path, script)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

fn link(root: &Path) -> Outcome {
    if find("rustup").is_none() {
        return Ok(());
    }
    if sysroot(Command::new("rustup").args(["run", LINKED, "rustc"]))
        .is_some_and(|linked| linked == root)
    {
        return Ok(());
    }
    run(Command::new("rustup")
        .args(["toolchain", "link", LINKED])
        .arg(root))
}

/// Builds the wasm32 standard library from the packaged sources.
fn standard_library(project: &Project, toolchain: &Toolchain, root: &Path) -> Outcome {
    progress(format_args!(
        "Building the {TARGET} standard library (about a minute, once)"
    ));
    let work = project.cache.join("standard-library");
    let writing = || format!("writing {}", work.display());
    std::fs::create_dir_all(work.join("src")).context(writing)?;
    let manifest =
        "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n";
    std::fs::write(work.join("Cargo.toml"), manifest).context(writing)?;
    std::fs::write(work.join("src/lib.rs"), "#![no_std]\n").context(writing)?;
    run(toolchain
        .cargo()
        .args([
            "build",
            "--release",
            "-Zbuild-std=std,panic_abort",
            "--target",
            TARGET,
        ])
        .env("RUSTC_BOOTSTRAP", "1")
        // Without it the page's link-time optimization stops at the standard library.
        .env("RUSTFLAGS", "-Cembed-bitcode=yes")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
        .env("CARGO_TARGET_DIR", work.join("target"))
        .current_dir(&work))?;
    let built = work.join("target").join(TARGET).join("release/deps");
    let place = root.join("lib/rustlib").join(TARGET).join("lib");
    copy_libraries(&built, &place).context(|| format!("filling {}", place.display()))?;
    // Two hundred megabytes that nothing reads again.
    let _ = std::fs::remove_dir_all(work);
    Ok(())
}

fn copy_libraries(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".rlib") && !name.starts_with("libempty-") {
            std::fs::copy(entry.path(), to.join(&name))?;
        }
    }
    Ok(())
}

/// The linker for wasm32: the one of a rustup toolchain, else Debian's `lld` of
/// the same LLVM as the compiler.
fn wasm_linker(version: &str) -> Outcome<PathBuf> {
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap_or_default();
    // From the root folder and without the variable: the toolchain that rustup has
    // by default, not the one that is being put together.
    let shipped = sysroot(
        Command::new("rustc")
            .env_remove("RUSTUP_TOOLCHAIN")
            .current_dir("/"),
    )
    .map(|root| root.join("lib/rustlib").join(host).join("bin/rust-lld"))
    .filter(|path| path.is_file());
    if let Some(linker) = shipped {
        return Ok(linker);
    }
    let major = version
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: "))
        .and_then(|llvm| llvm.split('.').next())
        .ok_or_else(|| Failure::new("`rustc -Vv` does not name its LLVM version."))?;
    let program = format!("wasm-ld-{major}");
    if find(&program).is_none() {
        system::install(&[&format!("lld-{major}")], "the linker for wasm32")?;
    }
    find(&program).ok_or_else(|| {
        Failure::new(format!(
            "`{program}` was not found after installing lld-{major}."
        ))
    })
}
