//! A provider of tokens on loopback, as strict as providers may be: a code and a refresh token are
//! taken once, and a refresh token that comes twice ends all that it led to.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use domain::canonical;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::RwLock;

/// What the provider knows.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// What each request for a token held.
    pub(crate) asked: Vec<String>,
    /// How long tokens live, in seconds.
    pub(crate) lifetime: Option<u32>,
    /// What it answers in place of tokens.
    pub(crate) refuses: Option<(u16, Value)>,
    /// How often a refresh token came twice.
    pub(crate) reused: usize,
    /// It gives no refresh tokens.
    pub(crate) gives_no_refresh: bool,
    /// The hash that came with the question; its verifier is asked for with the code.
    pub(crate) challenge: String,
    given: usize,
    taken: BTreeSet<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Provider {
    pub(crate) url: String,
    pub(crate) known: Arc<Mutex<Known>>,
    /// While someone holds it for writing, no answer leaves.
    pub(crate) gate: Arc<RwLock<()>>,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let provider = Self {
            url: format!("http://{address}"),
            known: Arc::default(),
            gate: Arc::default(),
        };
        let serving = provider.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let provider = serving.clone();
                tokio::spawn(async move { provider.serve(stream).await });
            }
        });
        provider
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.lock().expect("no panic holds it"));
    }

    pub(crate) fn asked(&self) -> usize {
        self.known.lock().expect("no panic holds it").asked.len()
    }

    pub(crate) fn reused(&self) -> usize {
        self.known.lock().expect("no panic holds it").reused
    }

    async fn serve(&self, mut stream: TcpStream) {
        let mut text = String::new();
        let body = loop {
            let mut part = [0; 4096];
            let Ok(count @ 1..) = stream.read(&mut part).await else {
                return;
            };
            text.push_str(&String::from_utf8_lossy(&part[..count]));
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let is_it = name.eq_ignore_ascii_case("content-length");
                is_it.then(|| value.trim().parse::<usize>().ok()).flatten()
            });
            if body.len() >= length.unwrap_or(0) {
                break body.to_owned();
            }
        };
        let (status, answer) = {
            let mut known = self.known.lock().expect("no panic holds it");
            known.answer(&body)
        };
        // It has done it, and the answer is on its way.
        drop(self.gate.read().await);
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status} Told\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            answer.len()
        );
        let _ = stream.write_all(format!("{head}{answer}").as_bytes()).await;
    }
}

impl Known {
    fn answer(&mut self, body: &str) -> (u16, Value) {
        self.asked.push(body.to_owned());
        if let Some(refuses) = &self.refuses {
            return refuses.clone();
        }
        let of = |name: &str| {
            let mut pairs = body.split('&').filter_map(|pair| pair.split_once('='));
            let found = pairs.find(|(other, _)| *other == name);
            found.map(|(_, value)| value.to_owned()).unwrap_or_default()
        };
        let no = |why: &str| {
            let told = json!({ "error": "invalid_grant", "error_description": why });
            (400, told)
        };
        let once = match of("grant_type").as_str() {
            "authorization_code" => {
                let hash = canonical::sha256(of("code_verifier").as_bytes());
                if hash != self.challenge {
                    return no("The verifier is another one.");
                }
                of("code")
            }
            "refresh_token" => of("refresh_token"),
            _ => String::new(),
        };
        if !once.is_empty() && !self.taken.insert(once) {
            self.reused += 1;
            return no("It was used before.");
        }
        self.given += 1;
        let mut told = json!({
            "access_token": format!("access-token-{}", self.given),
            "token_type": "Bearer",
            "refresh_token": format!("refresh-token-{}", self.given),
        });
        if self.gives_no_refresh || of("grant_type") == "client_credentials" {
            told["refresh_token"] = Value::Null;
        }
        if let Some(lifetime) = self.lifetime {
            told["expires_in"] = json!(lifetime);
        }
        (200, told)
    }
}
