//! Builds the page: WebAssembly, the JavaScript that loads it, one style sheet,
//! the public files; hashed names, compressed copies and a manifest.
//!
//! The site folder is changed file by file, each by a rename, and the manifest
//! last, so a running server always has what it names. What earlier builds left is
//! removed after a day: a page that is open somewhere may still ask for it.

mod digest;
mod publish;

pub(crate) use digest::Digest;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::command::{Context, Outcome, progress, run};
use crate::project::Project;
use crate::setup::Toolchain;

/// What the compiler may use and every browser of the last years knows.
const WASM_FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// Oldest browsers that the style sheet and the script are written for.
const BROWSERS: &str = "--target=chrome120,firefox121,safari17.2";

/// Builds the page into the site folder, if anything it is made from has changed.
pub(crate) fn build(project: &Project, toolchain: &Toolchain) -> Outcome {
    progress("Building the page");
    let begun = Instant::now();
    let _alone = alone(project)?;
    let module = compile(project, toolchain)?;
    let bindgen = bindgen(project, toolchain)?;

    let input = digest_of_input(project, &module)?;
    let stamp = project.stamp("site");
    let manifest = publish::manifest_path(&project.leptos);
    if manifest.is_file() && std::fs::read_to_string(&stamp).is_ok_and(|done| done == input) {
        progress("The page is up to date");
        return Ok(());
    }

    let work = project.target.join("xtask/page");
    let doing = || format!("writing {}", work.display());
    if work.exists() {
        std::fs::remove_dir_all(&work).context(doing)?;
    }
    std::fs::create_dir_all(&work).context(doing)?;
    let built = assemble(project, &bindgen, &module, &work)?;
    publish::publish(project, &built, &work)?;
    std::fs::write(&stamp, input).context(|| format!("writing {}", stamp.display()))?;
    progress(format_args!(
        "The page is built ({:.1} s)",
        begun.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// Waits until no other command builds the page; holds as long as the file is kept.
fn alone(project: &Project) -> Outcome<std::fs::File> {
    let path = project.stamp("page.lock");
    let doing = || format!("locking {}", path.display());
    std::fs::create_dir_all(path.parent().unwrap_or(&project.target)).context(doing)?;
    let file = std::fs::File::create(&path).context(doing)?;
    file.lock().context(doing)?;
    Ok(file)
}

/// The files that a page is made of.
struct Built {
    script: PathBuf,
    module: PathBuf,
    style: PathBuf,
    /// Parts of the module that the script fetches when they are first called.
    lazy: Vec<PathBuf>,
    /// The script of the large editor, which the script imports when it is first opened.
    code: PathBuf,
}

/// How the script imports the large editor; the name is replaced by that of the finished file.
const CODE_EDITOR: &str = "./code-editor.js";

fn compile(project: &Project, toolchain: &Toolchain) -> Outcome<PathBuf> {
    let leptos = &project.leptos;
    run(toolchain
        .cargo()
        .args(["build", "--target", "wasm32-unknown-unknown"])
        .args([
            "--package",
            &leptos.lib_package,
            "--profile",
            &leptos.lib_profile,
        ])
        .current_dir(&project.root))?;
    let file = format!("{}.wasm", leptos.lib_package.replace('-', "_"));
    Ok(project
        .target
        .join("wasm32-unknown-unknown")
        .join(&leptos.lib_profile)
        .join(file))
}

/// Builds wasm-bindgen of the locked version, once a machine; returns its program.
pub(crate) fn bindgen(project: &Project, toolchain: &Toolchain) -> Outcome<PathBuf> {
    let lock = project.root.join("Cargo.lock");
    let lock = std::fs::read_to_string(&lock).context(|| format!("reading {}", lock.display()))?;
    let version = lock
        .split_once("name = \"wasm-bindgen\"\nversion = \"")
        .and_then(|(_, rest)| rest.split('"').next())
        .unwrap_or("unknown");
    let mut source = Digest::of_bytes(include_bytes!("bindgen.rs"));
    source.add(include_bytes!("../Cargo.toml"));
    let folder = project
        .cache
        .join(format!("wasm-bindgen-{version}-{source}"));
    let program = folder.join("bindgen");
    if program.is_file() {
        return Ok(program);
    }
    progress(format_args!(
        "Building wasm-bindgen {version} (a minute or two, once) into {}",
        folder.display()
    ));
    let work = project.cache.join("wasm-bindgen-build");
    run(toolchain
        .cargo()
        .args([
            "build",
            "--package",
            "xtask",
            "--features",
            "bindgen",
            "--bin",
            "bindgen",
        ])
        .args(["--profile", "tool", "--target-dir"])
        .arg(&work)
        .current_dir(&project.root))?;
    let doing = || format!("writing {}", folder.display());
    std::fs::create_dir_all(&folder).context(doing)?;
    // By a rename, so that two commands at once cannot see half a program.
    let partial = folder.join(format!("bindgen-{}", std::process::id()));
    std::fs::copy(work.join("tool/bindgen"), &partial).context(doing)?;
    std::fs::rename(&partial, &program).context(doing)?;
    let _ = std::fs::remove_dir_all(work);
    Ok(program)
}

fn assemble(project: &Project, bindgen: &Path, module: &Path, work: &Path) -> Outcome<Built> {
    let name = &project.leptos.output_name;
    let raw = work.join("raw");
    run(Command::new(bindgen).arg(module).arg(&raw).arg(name))?;

    progress("Optimizing the module");
    let mut lazy = Vec::new();
    let reading = || format!("reading {}", raw.display());
    for entry in std::fs::read_dir(&raw).context(reading)? {
        let part = entry.context(reading)?.path();
        if part.extension().is_some_and(|end| end == "wasm") {
            let optimized = work.join(part.file_name().unwrap_or_default());
            optimize(project, &part, &optimized)?;
            lazy.push(optimized);
        }
    }
    let module = work.join(format!("{name}_bg.wasm"));
    lazy.retain(|part| *part != module);
    lazy.sort();

    let script = work.join(format!("{name}.js"));
    run(esbuild(project)
        .arg(raw.join(format!("{name}.js")))
        .args(["--bundle", "--format=esm", "--external:*/code-editor.js"])
        .arg(format!("--outfile={}", script.display())))?;

    let code = work.join("code-editor.js");
    run(esbuild(project)
        .arg(code_editor(project))
        .args(["--bundle", "--format=esm"])
        .arg(format!("--outfile={}", code.display()))
        .env("NODE_PATH", project.end2end().join("node_modules")))?;

    let style = work.join(format!("{name}.css"));
    let public = addresses(&project.leptos.assets_dir)
        .context(|| format!("reading {}", project.leptos.assets_dir.display()))?;
    run(esbuild(project)
        .arg(&project.leptos.style_file)
        .args(["--bundle", "--loader:.svg=dataurl"])
        .args(public.iter().map(|address| format!("--external:{address}")))
        .arg(format!("--outfile={}", style.display())))?;
    Ok(Built {
        script,
        module,
        style,
        lazy,
        code,
    })
}

/// The source of the large editor.
fn code_editor(project: &Project) -> PathBuf {
    project.root.join("crates/app/src/field/code/editor.ts")
}

/// Makes a part of the module smaller.
///
/// Not `-Oz`: it takes another tenth off the bytes, ten times the time, and the
/// result is larger once compressed, which is what travels.
fn optimize(project: &Project, part: &Path, optimized: &Path) -> Outcome {
    run(Command::new(project.node_tool("wasm-opt"))
        .args(["-O1", "--quiet", "--strip-debug", "--strip-producers"])
        .args(WASM_FEATURES)
        .arg(part)
        .arg("-o")
        .arg(optimized))
}

fn esbuild(project: &Project) -> Command {
    let mut esbuild = Command::new(project.node_tool("esbuild"));
    esbuild
        .args([
            "--minify",
            "--log-level=warning",
            "--legal-comments=none",
            BROWSERS,
        ])
        .current_dir(&project.root);
    esbuild
}

/// Addresses of the public files, which a style sheet may name: `/logo.svg`, `/fonts/*`.
fn addresses(assets: &Path) -> std::io::Result<Vec<String>> {
    if !assets.is_dir() {
        return Ok(Vec::new());
    }
    let mut addresses = Vec::new();
    for entry in std::fs::read_dir(assets)? {
        let entry = entry?;
        let below = if entry.path().is_dir() { "/*" } else { "" };
        addresses.push(format!("/{}{below}", entry.file_name().to_string_lossy()));
    }
    Ok(addresses)
}

/// Everything that decides how the page looks, in one line.
fn digest_of_input(project: &Project, module: &Path) -> Outcome<String> {
    let mut digest = Digest::new();
    // Of this program too: it decides what is done with the rest.
    for own in [
        include_str!("site.rs"),
        include_str!("site/publish.rs"),
        include_str!("compress.mjs"),
    ] {
        digest.add(own.as_bytes());
    }
    let styles = project.leptos.style_file.parent().unwrap_or(&project.root);
    let lock = project.end2end().join("package-lock.json");
    for path in [
        module,
        styles,
        &project.leptos.assets_dir,
        &code_editor(project),
        &lock,
        &project.root.join("Cargo.lock"),
    ] {
        digest
            .add_path(path)
            .context(|| format!("reading {}", path.display()))?;
    }
    Ok(digest.to_string())
}
