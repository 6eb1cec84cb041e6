//! Reads the fields of an e-mail, and makes the message of them (RFC 5322).

use std::time::{Duration, SystemTime};

use domain::{Timestamp, limit};
use lettre::message::{Mailbox, Mailboxes, Message, MultiPart, MultiPartKind, SinglePart};
use serde_json::{Map, Value};

use super::Email;
use super::smtp::Letter;
use crate::step::text;

/// Most addresses of one e-mail, blind copies too.
const RECIPIENTS: usize = 100;
/// Longest subject, and longest name of a sender, in characters.
const LINE: usize = 1_000;
/// How much of the key stands in the Message-ID.
const KEY: usize = 40;

/// Reads the fields that the message is made of.
///
/// # Errors
/// A sentence that names the field.
pub(super) fn read(config: &Map<String, Value>) -> Result<Email, String> {
    let [to, cc, bcc] = [("to", "To"), ("cc", "Copy to"), ("bcc", "Blind copy to")]
        .map(|(field, title)| addresses(config.get(field), title));
    let (to, cc, bcc) = (to?, cc?, bcc?);
    if to.is_empty() {
        return Err("To has no address. Give at least one.".to_owned());
    }
    if to.len() + cc.len() + bcc.len() > RECIPIENTS {
        return Err(format!(
            "The e-mail goes to more than {RECIPIENTS} addresses. Send several, for example in a loop."
        ));
    }
    let reply_to = addresses(config.get("reply_to"), "Answers go to")?;
    if reply_to.len() > 1 {
        return Err("Answers go to one address. Remove the others.".to_owned());
    }
    let line = |field: &str, title: &str| {
        // A header is one line: what breaks it becomes a space, and cannot begin another one.
        let line = text(config.get(field)).replace(char::is_control, " ");
        match line.chars().nth(LINE) {
            None => Ok(line.trim().to_owned()),
            Some(_) => Err(format!(
                "{title} is longer than {LINE} characters. Shorten it."
            )),
        }
    };
    let body = |field: &str| {
        let body = text(config.get(field));
        (!body.trim().is_empty()).then_some(body)
    };
    let (plain, html) = (body("text"), body("html"));
    if plain.is_none() && html.is_none() {
        return Err("The e-mail is empty. Fill in its text, its HTML, or both.".to_owned());
    }
    let size: usize = [&plain, &html].into_iter().flatten().map(String::len).sum();
    if size > limit::RESPONSE_BYTES {
        return Err(format!(
            "The e-mail is larger than {} MB. Send less, or a link.",
            limit::RESPONSE_BYTES / (1024 * 1024)
        ));
    }
    Ok(Email {
        from_name: line("from_name", "Sender's name")?,
        to,
        cc,
        bcc,
        reply_to: reply_to.into_iter().next(),
        subject: line("subject", "Subject")?,
        text: plain,
        html,
        key: String::new(),
        timeout: Duration::ZERO,
        repeats: false,
        connection: String::new(),
        credentials: None,
    })
}

/// Reads addresses: a text with commas between them, or a list of texts.
fn addresses(value: Option<&Value>, title: &str) -> Result<Vec<Mailbox>, String> {
    let texts = match value {
        Some(Value::Array(items)) => items.iter().map(|item| text(Some(item))).collect(),
        value => vec![text(value)],
    };
    let mut all = Vec::new();
    for given in texts {
        let given = given.trim();
        if given.is_empty() {
            continue;
        }
        let refused = || {
            let shown: String = given.chars().take(80).collect();
            let shown = shown.replace(char::is_control, "\u{fffd}");
            format!(
                "{title}: `{shown}` is no e-mail address. Write ada@example.com, or Ada <ada@example.com>, and commas between several."
            )
        };
        // Nothing of an address may end a line of the message, or of what is said to the server.
        if given.chars().any(char::is_control) {
            return Err(refused());
        }
        let read: Mailboxes = given.parse().map_err(|_| refused())?;
        for mailbox in read {
            if !AsRef::<str>::as_ref(&mailbox.email).is_ascii() {
                return Err(refused());
            }
            all.push(mailbox);
            // They are counted together later.
            if all.len() > RECIPIENTS {
                return Ok(all);
            }
        }
    }
    Ok(all)
}

/// Makes the message, from the connection's sender.
///
/// # Errors
/// A sentence.
pub(super) fn composed(email: &Email, sender: &str, now: Timestamp) -> Result<Letter, String> {
    let address = sender.parse().map_err(|_| {
        format!("`{sender}` is no address to send from. An Admin corrects the connection.")
    })?;
    let name = (!email.from_name.is_empty()).then(|| email.from_name.clone());
    let host = sender.rsplit('@').next().unwrap_or("localhost");
    let message_id = format!("<{}@{host}>", &email.key[..KEY.min(email.key.len())]);
    let since = Duration::from_millis(u64::try_from(now.0).unwrap_or_default());
    let mut message = Message::builder()
        .from(Mailbox::new(name, address))
        .subject(email.subject.as_str())
        .date(SystemTime::UNIX_EPOCH + since)
        .message_id(Some(message_id.clone()));
    for mailbox in &email.to {
        message = message.to(mailbox.clone());
    }
    for mailbox in &email.cc {
        message = message.cc(mailbox.clone());
    }
    for mailbox in &email.bcc {
        message = message.bcc(mailbox.clone());
    }
    if let Some(reply_to) = &email.reply_to {
        message = message.reply_to(reply_to.clone());
    }
    let message = match (&email.text, &email.html) {
        (Some(text), Some(html)) => message.multipart(
            MultiPart::builder()
                .kind(MultiPartKind::Alternative)
                .boundary(format!("sluice-{}", email.key))
                .singlepart(SinglePart::plain(text.clone()))
                .singlepart(SinglePart::html(html.clone())),
        ),
        (None, Some(html)) => message.singlepart(SinglePart::html(html.clone())),
        (text, None) => message.singlepart(SinglePart::plain(text.clone().unwrap_or_default())),
    };
    let message = message.map_err(|error| format!("The e-mail cannot be composed: {error}."))?;
    let recipients: Vec<String> = message
        .envelope()
        .to()
        .iter()
        .map(ToString::to_string)
        .collect();
    Ok(Letter {
        sender: sender.to_owned(),
        recipients,
        message: message.formatted(),
        message_id,
    })
}
