//! The words after a command's name.

use crate::command::{Failure, Outcome};

/// The words of a command line that no one has asked for yet.
pub(crate) struct Arguments(Vec<String>);

impl Arguments {
    /// Takes the words after the command's name.
    pub(crate) fn new(words: impl Iterator<Item = String>) -> Self {
        Self(words.collect())
    }

    /// Takes the first word if it is not an option.
    pub(crate) fn word(&mut self) -> Option<String> {
        let is_word = self.0.first().is_some_and(|word| !word.starts_with('-'));
        is_word.then(|| self.0.remove(0))
    }

    /// Takes a flag such as `--release`; true if it was there.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|word| word != name);
        self.0.len() < before
    }

    /// Takes an option with a value, written `--port 8080` or `--port=8080`.
    pub(crate) fn value(&mut self, name: &str) -> Outcome<Option<String>> {
        let joined = format!("{name}=");
        if let Some(at) = self.0.iter().position(|word| word.starts_with(&joined)) {
            return Ok(Some(self.0.remove(at)[joined.len()..].to_owned()));
        }
        let Some(at) = self.0.iter().position(|word| word == name) else {
            return Ok(None);
        };
        if at + 1 == self.0.len() {
            return Err(Failure::new(format!("{name} needs a value after it.")));
        }
        self.0.remove(at);
        Ok(Some(self.0.remove(at)))
    }

    /// Fails if a word is left that the command does not know.
    pub(crate) fn finish(self) -> Outcome {
        match self.0.first() {
            None => Ok(()),
            Some(word) => Err(Failure::new(format!(
                "`{word}` is not known here. `cargo xtask help` lists what is."
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Arguments;

    fn arguments(line: &str) -> Arguments {
        Arguments::new(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn an_option_is_read_in_both_spellings() {
        let mut both = arguments("--port 81 --data=here");
        assert_eq!(both.value("--port").ok().flatten().as_deref(), Some("81"));
        assert_eq!(both.value("--data").ok().flatten().as_deref(), Some("here"));
        assert!(both.finish().is_ok());
    }

    #[test]
    fn a_missing_value_and_an_unknown_word_are_refused() {
        assert!(arguments("--port").value("--port").is_err());
        assert!(arguments("--colour").finish().is_err());
    }

    #[test]
    fn a_flag_is_taken_once_asked_for() {
        let mut words = arguments("--release");
        assert!(words.flag("--release"));
        assert!(!words.flag("--release"));
        assert!(words.finish().is_ok());
    }
}
