//! Sends by e-mail what members are told of reviews, and of integrations that fail: one letter at a
//! time, from the outbox that all processes share. Alerts go first.
//!
//! A server that does not answer, or refuses everyone, makes the sender wait; a letter that is
//! refused waits or fails alone. What a letter says is composed in `domain`.

use std::time::Duration;

use domain::{alert, review};
use lettre::address::AddressError;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{AsyncSmtpTransportBuilder, Error, PoolConfig};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use store::{Claimed, LETTER_LEASE, Store};
use tokio::time::{Instant, timeout};
use url::Url;

use crate::config::Refusal;
use crate::signal::Stop;

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// How long the server may take for one command.
const COMMAND: Duration = Duration::from_secs(20);
/// How long a letter may take in all, well within its lease.
const SENDING: Duration = Duration::from_secs(60);
/// How often letters that nobody could send are given up.
const GIVE_UP: Duration = Duration::from_secs(10 * 60);

/// How members are told by e-mail. Does not show its password.
#[derive(Clone, Debug)]
pub struct Mail {
    transport: AsyncSmtpTransportBuilder,
    from: Mailbox,
    public_url: String,
    /// The host in the names of messages.
    host: String,
}

impl Mail {
    /// Reads the settings: the server's address, the sender, and the address that people use.
    ///
    /// # Errors
    /// When one is missing or cannot be used. The server's address is never repeated.
    pub fn read(url: &str, from: Option<&str>, public_url: Option<&str>) -> Result<Self, Refusal> {
        let from = from.ok_or(Refusal::MailNeeds("SLUICE_MAIL_FROM"))?;
        let public_url = public_url.ok_or(Refusal::MailNeeds("SLUICE_PUBLIC_URL"))?;
        let parsed = Url::parse(url).map_err(|error| Refusal::SmtpUrl(error.to_string()))?;
        if !matches!(parsed.scheme(), "smtp" | "smtps") || !parsed.has_host() {
            let why = "it is no smtp:// or smtps:// address with a host";
            return Err(Refusal::SmtpUrl(why.to_owned()));
        }
        let transport = Transport::from_url(url).map_err(|_| {
            let why = "its password is not encoded as in addresses, or `tls` is neither required nor opportunistic";
            Refusal::SmtpUrl(why.to_owned())
        })?;
        let host = Url::parse(public_url).ok();
        let host = host.as_ref().and_then(Url::domain).unwrap_or("localhost");
        let names_itself = parsed.path().len() > 1;
        Ok(Self {
            transport: match names_itself {
                true => transport,
                false => transport.hello_name(ClientId::Domain(host.to_owned())),
            },
            from: from
                .parse()
                .map_err(|_: AddressError| Refusal::MailFrom(from.to_owned()))?,
            public_url: public_url.to_owned(),
            host: host.to_owned(),
        })
    }

    fn message<L: Letter>(&self, claimed: &Claimed<L>) -> Result<Message, String> {
        let Claimed {
            id, email, letter, ..
        } = claimed;
        let address = email.parse().map_err(|error: AddressError| {
            format!("The e-mail address of the account cannot be used: {error}.")
        })?;
        let name = letter.to().replace(char::is_control, " ");
        let thread = format!("<{}@{}>", letter.thread(), self.host);
        let generated = HeaderName::new_from_ascii_str("Auto-Submitted");
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(Some(name), address))
            .subject(letter.subject())
            .message_id(Some(format!("<{id}@{}>", self.host)))
            .in_reply_to(thread.clone())
            .references(thread)
            .raw_header(HeaderValue::new(generated, "auto-generated".to_owned()))
            .header(ContentType::TEXT_PLAIN)
            .body(letter.text(&self.public_url))
            .map_err(|error| format!("The letter cannot be composed: {error}."))
    }
}

/// What a message is made of, whatever it is about.
trait Letter {
    /// Returns what others call whoever gets it.
    fn to(&self) -> &str;
    /// Returns what names the message that all letters about the same thing refer to, though it was
    /// never sent: by that, mail programs show them together.
    fn thread(&self) -> String;
    /// Returns one line.
    fn subject(&self) -> String;
    /// Returns the text, with links below the address that people use.
    fn text(&self, public_url: &str) -> String;
}

impl Letter for review::letter::Letter {
    fn to(&self) -> &str {
        &self.to
    }

    fn thread(&self) -> String {
        format!("review.{}", self.review)
    }

    fn subject(&self) -> String {
        self.subject()
    }

    fn text(&self, public_url: &str) -> String {
        self.text(public_url)
    }
}

impl Letter for alert::Letter {
    fn to(&self) -> &str {
        &self.to
    }

    fn thread(&self) -> String {
        format!("integration.{}", self.integration)
    }

    fn subject(&self) -> String {
        self.subject()
    }

    fn text(&self, public_url: &str) -> String {
        self.text(public_url)
    }
}

/// How a mailer waits.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// What one member is told of one review within this time is one letter.
    pub gather: Duration,
    /// How often it looks for letters.
    pub poll: Duration,
    /// How long it waits when the server does not answer.
    pub unreachable: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            gather: Duration::from_secs(60),
            poll: Duration::from_secs(5),
            unreachable: Duration::from_secs(60),
        }
    }
}

/// Sends letters, until the process is to end.
#[derive(Debug)]
pub struct Mailer {
    mail: Option<(Mail, Transport)>,
    store: Store,
    stop: Stop,
    pace: Pace,
}

/// What became of a letter.
enum Delivery {
    Accepted,
    /// It will never be accepted.
    Refused(String),
    /// Not now.
    Delayed(String),
    /// Nothing can be sent now.
    Unreachable(String),
}

impl Mailer {
    /// Returns a mailer. Without settings it sends nothing, and only gives up old letters: so none
    /// waits for ever when no process has settings.
    pub fn new(mail: Option<&Mail>, store: Store, stop: Stop, pace: Pace) -> Self {
        let mail = mail.map(|mail| {
            let builder = mail.transport.clone().timeout(Some(COMMAND));
            let transport = builder.pool_config(PoolConfig::new().max_size(1)).build();
            (mail.clone(), transport)
        });
        Self {
            mail,
            store,
            stop,
            pace,
        }
    }

    /// Sends letters as they become due. A letter under way at the end is finished.
    pub async fn work(self) {
        let mut given_up: Option<Instant> = None;
        loop {
            if given_up.is_none_or(|at| at.elapsed() >= GIVE_UP) {
                given_up = Some(Instant::now());
                match self.store.turn(self.store.give_up_letters()).await {
                    Ok(0) => {}
                    Ok(count) => {
                        tracing::warn!(count, "notifications or alerts were not sent by e-mail")
                    }
                    Err(error) => tracing::warn!(%error, "old letters could not be given up"),
                }
            }
            let pause = match &self.mail {
                Some((mail, transport)) => self.send_due(mail, transport).await,
                None => GIVE_UP,
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.given() => break,
            }
        }
        if let Some((_, transport)) = &self.mail {
            transport.shutdown().await;
        }
    }

    /// Sends what is due; returns how long to wait then.
    async fn send_due(&self, mail: &Mail, transport: &Transport) -> Duration {
        while !self.stop.is_given() {
            let store = &self.store;
            let sent = match store.turn(store.claim_alert()).await {
                Ok(Some(alert)) => Ok(self.send(mail, transport, &alert).await),
                Ok(None) => match store.turn(store.claim_letter(self.pace.gather)).await {
                    Ok(Some(letter)) => Ok(self.send(mail, transport, &letter).await),
                    Ok(None) => break,
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            };
            match sent {
                Ok(true) => {}
                Ok(false) => return self.pace.unreachable,
                Err(error) => {
                    tracing::warn!(%error, "no letters could be claimed");
                    break;
                }
            }
        }
        self.pace.poll
    }

    /// Sends a letter and notes what became of it; returns whether the server could be reached.
    async fn send<L: Letter>(
        &self,
        mail: &Mail,
        transport: &Transport,
        claimed: &Claimed<L>,
    ) -> bool {
        let delivery = deliver(mail, transport, claimed).await;
        let is_reachable = !matches!(delivery, Delivery::Unreachable(_));
        self.note(claimed, delivery).await;
        is_reachable
    }

    async fn note<L>(&self, claimed: &Claimed<L>, delivery: Delivery) {
        let letter = claimed.id;
        let store = &self.store;
        let noted = match delivery {
            Delivery::Accepted => {
                tracing::debug!(%letter, "a letter was sent");
                store.turn(store.letter_sent(claimed)).await
            }
            Delivery::Refused(reason) => {
                tracing::warn!(%letter, reason, "a letter was refused for good");
                store.turn(store.letter_failed(claimed, &reason)).await
            }
            Delivery::Delayed(reason) => {
                tracing::info!(%letter, reason, "a letter was refused for now");
                store.turn(store.letter_delayed(claimed, &reason)).await
            }
            Delivery::Unreachable(reason) => {
                tracing::warn!(%letter, reason, "no letters can be sent just now");
                store.turn(store.letter_delayed(claimed, &reason)).await
            }
        };
        if let Err(error) = noted {
            tracing::warn!(%letter, %error, "what became of a letter was not noted; it may be sent again");
        }
    }
}

async fn deliver<L: Letter>(mail: &Mail, transport: &Transport, claimed: &Claimed<L>) -> Delivery {
    const { assert!(SENDING.as_secs() * 2 < LETTER_LEASE.as_secs()) };
    let message = match mail.message(claimed) {
        Ok(message) => message,
        Err(reason) => return Delivery::Refused(reason),
    };
    let sent = timeout(SENDING, async {
        // Whatever goes wrong before a letter is begun (greeting, encryption, password) is no
        // fault of this letter.
        match transport.test_connection().await {
            Ok(true) => {}
            Ok(false) => return Delivery::Unreachable("The connection broke off.".to_owned()),
            Err(error) => return Delivery::Unreachable(error.to_string()),
        }
        match transport.send(message).await {
            Ok(_) => Delivery::Accepted,
            Err(error) => judge(&error),
        }
    });
    let late = |_| Delivery::Unreachable("The SMTP server took too long.".to_owned());
    sent.await.unwrap_or_else(late)
}

/// Says what a failure to send means once the connection stood (RFC 5321, 4.2.1 and 3.8).
fn judge(error: &Error) -> Delivery {
    let reason = error.to_string();
    let closes = error.status().map(u16::from) == Some(421);
    if error.is_permanent() || error.is_client() {
        Delivery::Refused(reason)
    } else if error.is_transient() && !closes {
        Delivery::Delayed(reason)
    } else {
        Delivery::Unreachable(reason)
    }
}
