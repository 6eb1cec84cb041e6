//! What computes expressions, kept apart from the documents in which they stand.
//!
//! MiniJinja sets aside about 10 KB for each expression, however short: with that, a server could
//! keep few of its documents ready to run. So a document has the text of its expressions, and each
//! thread keeps what computes those that it met last. To compile one anew takes about a
//! microsecond, and longer only if it is longer.

use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::rc::Rc;

use super::{Compiled, TemplateError, compile};

/// Places of a thread: 2.5 MB when all of them are taken by what people write.
const PLACES: usize = 256;
/// Bytes of an expression that is kept: a longer one could take megabytes.
const LONGEST: usize = 2_048;

/// Where what computes an expression is kept. Others may share the place: whoever came last has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place(u16);

struct Kept {
    source: Box<str>,
    compiled: Rc<Compiled>,
}

thread_local! {
    static KEPT: RefCell<Vec<Option<Kept>>> = RefCell::new((0..PLACES).map(|_| None).collect());
}

impl Place {
    pub(super) fn of(source: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        source.hash(&mut hasher);
        let place = hasher.finish() % PLACES as u64;
        Self(u16::try_from(place).expect("there are fewer places"))
    }

    /// Returns what computes the expression of which this is the place.
    pub(super) fn compiled(
        self,
        source: &str,
        at: &Range<usize>,
    ) -> Result<Rc<Compiled>, TemplateError> {
        KEPT.with_borrow_mut(|kept| {
            let place = &mut kept[usize::from(self.0)];
            if let Some(kept) = place.as_ref().filter(|kept| *kept.source == *source) {
                return Ok(Rc::clone(&kept.compiled));
            }
            let compiled = Rc::new(compile(source, at.clone())?);
            if source.len() <= LONGEST {
                *place = Some(Kept {
                    source: source.into(),
                    compiled: Rc::clone(&compiled),
                });
            }
            Ok(compiled)
        })
    }
}
