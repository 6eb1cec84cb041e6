//! Questions of many tasks, asked in one statement.
//!
//! One task asks for the whole process. It takes what is waiting and asks it at once; while that
//! is under way the next gathers. So one question alone waits for nothing, and of thousands a
//! second, which come when more is in use than is remembered or many wait for their runs, each costs
//! a part of a statement, and no connection that others need.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::slice;

use sqlx::PgPool;
use sqlx::postgres::PgConnection;
use tokio::sync::{mpsc, oneshot};

use crate::error::is_content;
use crate::own_connection::OwnConnection;

/// Questions waiting in a process; more make the askers wait.
const WAITING: usize = 256;
/// Most questions in one statement. An answer may have as much as the largest document.
const AT_ONCE: usize = 16;

/// A question of which several are asked in one statement.
pub(crate) trait Question: Send + Sync + Sized + 'static {
    /// What the database has to say, as it is stored.
    type Answer: Send + 'static;

    /// Asks them all: returns each answer with the place of its question, from 1. What has none
    /// is left out.
    fn ask(
        questions: &[Self],
        connection: &mut PgConnection,
    ) -> impl Future<Output = Result<Vec<(i64, Self::Answer)>, sqlx::Error>> + Send;
}

/// The way to the task that asks.
#[derive(Debug)]
pub(crate) struct Gathered<Q: Question> {
    questions: mpsc::Sender<Asked<Q>>,
}

#[derive(Debug)]
struct Asked<Q: Question> {
    question: Q,
    answer: Asker<Q::Answer>,
}

type Asker<A> = oneshot::Sender<Result<Option<A>, String>>;

impl<Q: Question> Gathered<Q> {
    pub(crate) fn start(system: PgPool) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(all(receiver, system));
        Self { questions: sender }
    }

    /// Returns the answer to a question; `None` when there is none.
    pub(crate) async fn ask(&self, question: Q) -> Result<Option<Q::Answer>, sqlx::Error> {
        let (answer, answered) = oneshot::channel();
        let asked = Asked { question, answer };
        let sent = self.questions.send(asked).await;
        sent.map_err(|_| sqlx::Error::PoolClosed)?;
        let answer = answered.await.map_err(|_| sqlx::Error::PoolClosed)?;
        answer.map_err(|error| sqlx::Error::Io(io::Error::other(error)))
    }
}

async fn all<Q: Question>(mut questions: mpsc::Receiver<Asked<Q>>, system: PgPool) {
    // Whoever closes the store waits for no answer any more.
    let mut closing = pin!(system.close_event());
    let mut connection = OwnConnection::new(system);
    let mut waiting = Vec::with_capacity(AT_ONCE);
    loop {
        let count = tokio::select! {
            count = questions.recv_many(&mut waiting, AT_ONCE) => count,
            () = &mut closing => 0,
        };
        if count == 0 {
            return;
        }
        // Who does not wait for the answer any more need not get one.
        waiting.retain(|asked: &Asked<Q>| !asked.answer.is_closed());
        let (asked, askers): (Vec<_>, Vec<_>) = waiting
            .drain(..)
            .map(|asked| (asked.question, asked.answer))
            .unzip();
        if asked.is_empty() {
            continue;
        }
        match ask(&asked, &mut connection).await {
            // One that is about something damaged must not take the others with it.
            Err(error) if asked.len() > 1 && is_content(&error) => {
                for (question, asker) in asked.iter().zip(askers) {
                    let answers = ask(slice::from_ref(question), &mut connection).await;
                    tell(vec![asker], answers);
                }
            }
            answers => tell(askers, answers),
        }
    }
}

/// Gives each asker its answer, or all of them the error.
fn tell<A>(askers: Vec<Asker<A>>, answers: Result<Vec<(i64, A)>, sqlx::Error>) {
    match answers {
        Ok(mut answers) => {
            for (place, asker) in (1..).zip(askers) {
                let found = answers.iter().position(|(of, _)| *of == place);
                let answer = found.map(|found| answers.swap_remove(found).1);
                let _ = asker.send(Ok(answer));
            }
        }
        Err(error) => {
            let error = error.to_string();
            for asker in askers {
                let _ = asker.send(Err(error.clone()));
            }
        }
    }
}

/// Asks, once more should the connection have been lost: Postgres may have been started anew.
async fn ask<Q: Question>(
    questions: &[Q],
    connection: &mut OwnConnection,
) -> Result<Vec<(i64, Q::Answer)>, sqlx::Error> {
    let answered = match ask_once(questions, connection).await {
        Err((_, true)) => ask_once(questions, connection).await,
        answered => answered,
    };
    answered.map_err(|(error, _)| error)
}

/// Asks; says of an error whether the connection was lost with it.
async fn ask_once<Q: Question>(
    questions: &[Q],
    connection: &mut OwnConnection,
) -> Result<Vec<(i64, Q::Answer)>, (sqlx::Error, bool)> {
    let (open, bound) = connection.get().await.map_err(|error| (error, false))?;
    let answered = bound.of(Q::ask(questions, open)).await;
    answered.map_err(|error| connection.lost_with(error))
}
