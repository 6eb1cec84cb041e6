//! Makes cargo notice a new migration: `sqlx::migrate!` reads the folder behind its back.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
