//! Letters: what a member was told of one review, as one e-mail in plain text.

use super::Happening;
use crate::letter::one_line;
use crate::{ReviewId, ThreadId};

/// Most characters of one quoted text; the rest is to be read in the application.
const QUOTED: usize = 4_000;
/// Most events that are told one by one.
const EVENTS: usize = 30;

/// What one member was told of one review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The name of the organization.
    pub organization: String,
    /// What others call whoever gets it.
    pub to: String,
    /// The review.
    pub review: ReviewId,
    /// Its title.
    pub title: String,
    /// What happened, oldest first; at least one.
    pub events: Vec<Event>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub happening: Happening,
    /// The name of who did it.
    pub by: String,
    /// The thread to jump to.
    pub thread: Option<ThreadId>,
    /// What was said with it, in order.
    pub said: Vec<Said>,
}

/// What someone said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Markdown.
    pub text: String,
    /// Whether another value is suggested with it.
    pub suggests: bool,
}

impl Letter {
    /// Returns the subject: one line, about what asks most of the reader.
    pub fn subject(&self) -> String {
        let organization = one_line(&self.organization);
        match self.main_event() {
            Some(event) => format!("[{organization}] {}", self.sentence(event)),
            None => format!("[{organization}] “{}”", one_line(&self.title)),
        }
    }

    /// Returns the text, with links below the address that people use.
    pub fn text(&self, public_url: &str) -> String {
        let mut text = String::new();
        for (index, event) in self.events.iter().take(EVENTS).enumerate() {
            text.push_str(&format!("{}.\n\n", self.sentence(event)));
            for said in &event.said {
                text.push_str(&quoted(said));
                text.push('\n');
            }
            let link = self.link(public_url, event.thread);
            let next = self.events.get(index + 1).filter(|_| index + 1 < EVENTS);
            if next.is_none_or(|next| self.link(public_url, next.thread) != link) {
                text.push_str(&format!("{link}\n\n"));
            }
        }
        if let Some(more) = self.events.len().checked_sub(EVENTS + 1) {
            text.push_str(&format!("And {} more.\n\n", more + 1));
        }
        let why = self.main_event().map_or(PARTICIPANT, why);
        let organization = one_line(&self.organization);
        text.push_str(&format!(
            "-- \nYou get this because {why}, in {organization} on Sluice: {public_url}\n"
        ));
        text
    }

    /// Returns what asks most of the reader, the newest of its kind.
    fn main_event(&self) -> Option<&Event> {
        self.events.iter().max_by_key(|event| weight(event))
    }

    fn sentence(&self, event: &Event) -> String {
        let by = one_line(&event.by);
        let says = event.happening.says();
        format!("{by} {says} “{}”", one_line(&self.title))
    }

    fn link(&self, public_url: &str, thread: Option<ThreadId>) -> String {
        let review = self.review;
        match thread {
            Some(thread) => format!("{public_url}/reviews/{review}?thread={thread}"),
            None => format!("{public_url}/reviews/{review}"),
        }
    }
}

const PARTICIPANT: &str = "you take part in this review";

const fn why(event: &Event) -> &'static str {
    match event.happening {
        Happening::Asked => "you were asked to review this change",
        Happening::Mentioned => "you were mentioned in this review",
        Happening::ApprovalStale => "you approved this change",
        _ => PARTICIPANT,
    }
}

const fn weight(event: &Event) -> u8 {
    match event.happening {
        Happening::Asked => 7,
        Happening::Rejected => 6,
        Happening::Mentioned => 5,
        Happening::ApprovalStale => 4,
        Happening::Approved => 3,
        Happening::Published => 2,
        Happening::Withdrawn => 1,
        Happening::Commented => 0,
    }
}

fn quoted(said: &Said) -> String {
    let mut text: String = said.text.trim().chars().take(QUOTED).collect();
    if text.len() < said.text.trim().len() {
        text.push('…');
    }
    if said.suggests {
        let apart = if text.is_empty() { "" } else { "\n" };
        text.push_str(&format!("{apart}(suggests another value)"));
    }
    text.lines()
        .map(|line| format!("> {line}").trim_end().to_owned() + "\n")
        .collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{Event, Letter, Said};
    use crate::review::Happening;
    use crate::{ReviewId, ThreadId};

    const URL: &str = "https://sluice.example.com";

    fn event(happening: Happening, text: &str) -> Event {
        let said = (!text.is_empty()).then(|| Said {
            text: text.to_owned(),
            suggests: false,
        });
        Event {
            happening,
            by: "Ada".to_owned(),
            thread: None,
            said: said.into_iter().collect(),
        }
    }

    fn letter(events: Vec<Event>) -> Letter {
        Letter {
            organization: "Workshop".to_owned(),
            to: "Grace".to_owned(),
            review: ReviewId(Uuid::from_u128(1)),
            title: "Retry orders".to_owned(),
            events,
        }
    }

    #[test]
    fn who_is_asked_reads_by_whom_for_what_and_where() {
        let asked = letter(vec![event(
            Happening::Asked,
            "Orders get lost.\n\n- retry twice",
        )]);
        assert_eq!(
            asked.subject(),
            "[Workshop] Ada asks you to review “Retry orders”"
        );
        assert_eq!(
            asked.text(URL),
            "Ada asks you to review “Retry orders”.\n\n\
             > Orders get lost.\n>\n> - retry twice\n\n\
             https://sluice.example.com/reviews/00000000-0000-0000-0000-000000000001\n\n\
             -- \nYou get this because you were asked to review this change, in Workshop on \
             Sluice: https://sluice.example.com\n"
        );
    }

    #[test]
    fn the_subject_is_about_what_asks_most_of_the_reader() {
        let cases = [
            (
                vec![Happening::Commented, Happening::Rejected],
                "Ada asks for changes in",
            ),
            (
                vec![Happening::Asked, Happening::Commented],
                "Ada asks you to review",
            ),
            (
                vec![Happening::Mentioned, Happening::Published],
                "Ada mentioned you in",
            ),
        ];
        for (happenings, expected) in cases {
            let events = happenings.into_iter().map(|one| event(one, "")).collect();
            let subject = letter(events).subject();
            assert!(subject.contains(expected), "{subject}");
        }
    }

    #[test]
    fn a_link_goes_to_the_thread_and_stands_once_for_neighbours() {
        let thread = Some(ThreadId(Uuid::from_u128(2)));
        let mut events = vec![
            event(Happening::Commented, "One"),
            event(Happening::Commented, "Two"),
        ];
        for event in &mut events {
            event.thread = thread;
        }
        let text = letter(events).text(URL);
        let link = "/reviews/00000000-0000-0000-0000-000000000001?thread=00000000-0000-0000-0000-000000000002\n";
        assert_eq!(text.matches(link).count(), 1, "{text}");
        assert!(text.contains("> One\n") && text.contains("> Two\n"));
    }

    #[test]
    fn no_name_or_title_can_begin_a_header_of_its_own() {
        let mut forged = letter(vec![event(Happening::Asked, "")]);
        forged.title = "One\r\nBcc: all@example.com\u{2028}\n\nBody".to_owned();
        forged.organization = "Work\nshop\r".to_owned();
        if let Some(event) = forged.events.first_mut() {
            event.by = "\u{b}Ada\n".to_owned();
        }
        assert_eq!(
            forged.subject(),
            "[Work shop] Ada asks you to review “One Bcc: all@example.com Body”"
        );
    }

    #[test]
    fn a_letter_is_bounded() {
        let long = vec![event(Happening::Commented, &"ä".repeat(20_000)); 200];
        let text = letter(long).text(URL);
        assert!(text.contains("…\n") && text.contains("And 170 more.\n"));
        assert!(text.chars().count() < 130_000);
    }

    #[test]
    fn a_suggestion_without_words_is_told_all_the_same() {
        let mut commented = letter(vec![event(Happening::Commented, " ")]);
        if let Some(said) = commented.events[0].said.first_mut() {
            said.suggests = true;
        }
        assert!(commented.text(URL).contains("> (suggests another value)\n"));
    }
}
