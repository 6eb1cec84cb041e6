//! Where things are: the repository, the cache folder, and the names that the
//! Leptos metadata in the root `Cargo.toml` fixes for everyone.

use std::path::{Path, PathBuf};

use crate::command::{Context, Failure, Outcome};

/// The repository that a command works on.
pub(crate) struct Project {
    /// The folder of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Cargo's `target` folder.
    pub(crate) target: PathBuf,
    /// What is built once a machine: `$SLUICE_CACHE`, else `sluice` in the user's cache folder.
    pub(crate) cache: PathBuf,
    /// The 95 of the oldest compiler allowed, 1.95.
    pub(crate) rust_minor: u32,
    /// Names and paths of the page.
    pub(crate) leptos: Leptos,
}

/// The part of `[[workspace.metadata.leptos]]` that the build follows.
pub(crate) struct Leptos {
    /// Package of the server.
    pub(crate) bin_package: String,
    /// Package of the browser's module.
    pub(crate) lib_package: String,
    /// First part of the names of the built files.
    pub(crate) output_name: String,
    /// Folder that the server serves, absolute.
    pub(crate) site_root: PathBuf,
    /// Folder of the built files inside the site.
    pub(crate) pkg_dir: String,
    /// The style sheet that imports all others, absolute.
    pub(crate) style_file: PathBuf,
    /// Files copied into the site as they are, absolute.
    pub(crate) assets_dir: PathBuf,
    /// Cargo profile of the browser's module.
    pub(crate) lib_profile: String,
}

impl Project {
    /// Finds the repository that this program was built from.
    pub(crate) fn find() -> Outcome<Self> {
        let own = std::env::var("CARGO_MANIFEST_DIR")
            .unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
        let root = Path::new(&own)
            .ancestors()
            .nth(2)
            .expect("xtask lies two folders below the root")
            .to_path_buf();
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => root.join(folder),
            None => root.join("target"),
        };
        let manifest = std::fs::read_to_string(root.join("Cargo.toml"))
            .context(|| format!("reading Cargo.toml in {}", root.display()))?;
        let leptos = Leptos::read(&manifest, &root)?;
        let rust_minor = manifest
            .lines()
            .find_map(|line| line.strip_prefix("rust-version = \"1."))
            .and_then(|rest| rest.trim_end_matches('"').split('.').next()?.parse().ok())
            .ok_or_else(|| Failure::new("Cargo.toml has no rust-version of the form \"1.95\"."))?;
        Ok(Self {
            cache: cache_folder()?,
            root,
            target,
            rust_minor,
            leptos,
        })
    }

    /// The folder with the browser tests and the Node tools.
    pub(crate) fn end2end(&self) -> PathBuf {
        self.root.join("end2end")
    }

    /// A program that `npm ci` put into the repository.
    pub(crate) fn node_tool(&self, name: &str) -> PathBuf {
        self.end2end().join("node_modules/.bin").join(name)
    }

    /// A file that remembers for which input a piece of work was last done.
    pub(crate) fn stamp(&self, name: &str) -> PathBuf {
        self.target.join("xtask").join(name)
    }
}

impl Leptos {
    fn read(manifest: &str, root: &Path) -> Outcome<Self> {
        let table = manifest
            .split_once("[[workspace.metadata.leptos]]")
            .map(|(_, after)| after.split("\n[").next().unwrap_or_default())
            .ok_or_else(|| Failure::new("Cargo.toml has no [[workspace.metadata.leptos]]."))?;
        let text = |key: &str| {
            table
                .lines()
                .filter_map(|line| line.split_once('='))
                .find(|(name, _)| name.trim() == key)
                .and_then(|(_, value)| value.split('"').nth(1).map(str::to_owned))
                .ok_or_else(|| {
                    Failure::new(format!(
                        "the Leptos metadata in Cargo.toml has no text `{key}`."
                    ))
                })
        };
        Ok(Self {
            bin_package: text("bin-package")?,
            lib_package: text("lib-package")?,
            output_name: text("output-name")?,
            site_root: root.join(text("site-root")?),
            pkg_dir: text("site-pkg-dir")?,
            style_file: root.join(text("style-file")?),
            assets_dir: root.join(text("assets-dir")?),
            lib_profile: text("lib-profile-release")?,
        })
    }
}

fn cache_folder() -> Outcome<PathBuf> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("SLUICE_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|folder| folder.join("sluice")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/sluice")))
        .ok_or_else(|| Failure::new("No place for built tools: set SLUICE_CACHE to a folder."))
}

#[cfg(test)]
mod tests {
    use super::{Leptos, Path};

    #[test]
    fn the_committed_metadata_names_everything_the_build_needs() {
        let manifest = include_str!("../../../Cargo.toml");
        let leptos = Leptos::read(manifest, Path::new("/repository"));
        assert!(
            leptos.is_ok_and(|leptos| leptos.site_root.starts_with("/repository")
                && leptos.style_file.extension().is_some())
        );
    }

    #[test]
    fn a_key_of_a_later_table_is_not_taken() {
        let manifest =
            "[[workspace.metadata.leptos]]\nname = \"x\"\n[other]\nbin-package = \"y\"\n";
        assert!(Leptos::read(manifest, Path::new("/")).is_err());
    }
}
