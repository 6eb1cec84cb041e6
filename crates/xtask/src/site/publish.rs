//! Puts finished files where the server serves them.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::command::{Context, Outcome, run};
use crate::project::{Leptos, Project};
use crate::site::{Built, CODE_EDITOR, Digest};

/// How long the files of an earlier build stay.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// What is worth a compressed copy; pictures and fonts are compressed already.
const COMPRESSIBLE: [&str; 9] = [
    "css",
    "html",
    "ico",
    "js",
    "json",
    "svg",
    "txt",
    "wasm",
    "webmanifest",
];

const COMPRESS: &str = include_str!("../compress.mjs");

/// The file that tells the server what the built files are called.
pub(crate) fn manifest_path(leptos: &Leptos) -> PathBuf {
    leptos.site_root.join(&leptos.pkg_dir).join("manifest.json")
}

/// Names, compresses and moves the built and the public files into the site.
pub(super) fn publish(project: &Project, built: &Built, work: &Path) -> Outcome {
    let leptos = &project.leptos;
    let doing = || format!("writing {}", leptos.site_root.display());
    let stage = work.join("site");
    let stage_pkg = stage.join(&leptos.pkg_dir);
    fs::create_dir_all(&stage_pkg).context(doing)?;
    if leptos.assets_dir.is_dir() {
        transfer(&leptos.assets_dir, &stage, |from, to| {
            fs::copy(from, to).map(drop)
        })
        .context(doing)?;
    }

    let name = &leptos.output_name;
    let place = |file: &Path, end: &str| -> Outcome<String> {
        let digest = Digest::of_file(file).context(doing)?;
        let named = format!("{name}-{digest}{end}");
        fs::copy(file, stage_pkg.join(&named)).context(doing)?;
        Ok(format!("/{}/{named}", leptos.pkg_dir))
    };
    // The parts first: the script's own name depends on what it calls them.
    let mut text = fs::read_to_string(&built.script).context(doing)?;
    let mut lazy = Vec::new();
    for part in &built.lazy {
        let address = place(part, "_lazy.wasm")?;
        let old = format!("./{}", part.file_name().unwrap_or_default().display());
        let new = address.rsplit('/').next().unwrap_or_default();
        text = text.replace(&old, &format!("./{new}"));
        lazy.push(format!("\"{address}\""));
    }
    let code = place(&built.code, "_code.js")?;
    let new = code.rsplit('/').next().unwrap_or_default();
    text = text.replace(CODE_EDITOR, &format!("./{new}"));
    lazy.push(format!("\"{code}\""));
    fs::write(&built.script, text).context(doing)?;
    let script = place(&built.script, ".js")?;
    let module = place(&built.module, "_bg.wasm")?;
    let style = place(&built.style, ".css")?;

    compress(&stage, work)?;
    let manifest = manifest_path(leptos);
    let previous = fs::read_to_string(&manifest).unwrap_or_default();
    let mut published =
        transfer(&stage, &leptos.site_root, |from, to| fs::rename(from, to)).context(doing)?;
    let partial = manifest.with_extension("json.new");
    let lazy = lazy.join(", ");
    let text = format!(
        r#"{{"script": "{script}", "module": "{module}", "style": "{style}", "lazy": [{lazy}]}}"#
    );
    fs::write(&partial, text)
        .and_then(|()| fs::rename(&partial, &manifest))
        .context(doing)?;
    published.insert(Path::new(&leptos.pkg_dir).join("manifest.json"));
    remove_old(&leptos.site_root, &published, &previous).context(doing)
}

fn compress(stage: &Path, work: &Path) -> Outcome {
    let mut files = Vec::new();
    collect(stage, &mut files).context(|| format!("reading {}", stage.display()))?;
    files.retain(|file| {
        file.extension()
            .and_then(|end| end.to_str())
            .is_some_and(|end| COMPRESSIBLE.contains(&end))
    });
    let script = work.join("compress.mjs");
    fs::write(&script, COMPRESS).context(|| format!("writing {}", script.display()))?;
    run(Command::new("node").arg(script).args(files))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// Brings every file of a folder to the same place in another one; returns the places.
fn transfer(
    from: &Path,
    to: &Path,
    bring: impl Fn(&Path, &Path) -> io::Result<()>,
) -> io::Result<BTreeSet<PathBuf>> {
    let mut files = Vec::new();
    collect(from, &mut files)?;
    let mut places = BTreeSet::new();
    for file in files {
        let relative = file.strip_prefix(from).map_err(io::Error::other)?;
        let target = to.join(relative);
        fs::create_dir_all(target.parent().unwrap_or(to))?;
        bring(&file, &target)?;
        places.insert(relative.to_path_buf());
    }
    Ok(places)
}

/// Removes what this build did not write and no open page can still want.
fn remove_old(site: &Path, published: &BTreeSet<PathBuf>, previous: &str) -> io::Result<()> {
    let mut files = Vec::new();
    collect(site, &mut files)?;
    for file in files {
        let relative = file.strip_prefix(site).map_err(io::Error::other)?;
        let name = relative.file_name().unwrap_or_default().to_string_lossy();
        let plain = name.trim_end_matches(".br").trim_end_matches(".gz");
        let age = file.metadata()?.modified()?.elapsed().unwrap_or_default();
        if !published.contains(relative) && !previous.contains(plain) && age > KEPT {
            fs::remove_file(&file)?;
        }
    }
    Ok(())
}
