//! Splits a WebAssembly module at its lazy functions and writes the JavaScript
//! that loads it.
//!
//! The library halves of two command lines, without their download and test-runner
//! parts, which take most of their build time. wasm-bindgen's version is the one
//! locked for the page, so the two can never drift apart.
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

/// Takes the module, the folder to write to and the name of the files in it.
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [module, folder, name] = arguments.as_slice() else {
        eprintln!("usage: bindgen MODULE.wasm FOLDER NAME");
        return ExitCode::from(2);
    };
    match write(Path::new(module), Path::new(folder), name) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{module}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn write(module: &Path, folder: &Path, name: &str) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    let whole = std::fs::read(module)?;
    let first = folder.join("first.wasm");
    let script = format!("./{name}.js");
    let mut options = wasm_split_cli_support::Options::new(&whole);
    options.output_dir = folder;
    options.main_out_path = &first;
    options.main_module = &script;
    wasm_split_cli_support::transform(options)?;

    wasm_bindgen_cli_support::Bindgen::new()
        .input_path(&first)
        .out_name(name)
        .web(true)?
        .typescript(false)
        .omit_default_module_path(true)
        // The parts find each other through exports that nothing here seems to use.
        .keep_lld_exports(true)
        .demangle(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(folder)?;
    std::fs::remove_file(first)?;
    Ok(())
}
