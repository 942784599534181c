//! The tests that the documentation of the original TypeScript library shows, in Rust.
//!
//! A function with a mocked e-mail sender; one step by its name, and its stored result; a function that fails.

use std::sync::{Arc, LazyLock, Mutex};

use belts::{Event, Worker, step, store::Memory, testing::TestStore};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What the application sends mail with.
trait EmailSender: Send + Sync {
    fn send(&self, to: &str, subject: &str) -> String;
}

#[derive(Default)]
struct MockSender {
    sent: Mutex<Vec<(String, String)>>,
}

impl EmailSender for MockSender {
    fn send(&self, to: &str, subject: &str) -> String {
        let mut sent = self.sent.lock().unwrap();
        sent.push((to.to_owned(), subject.to_owned()));
        format!("message-{}", sent.len())
    }
}

impl MockSender {
    fn sent_to(&self, address: &str) -> Vec<String> {
        let sent = self.sent.lock().unwrap();
        let to = sent.iter().filter(|(to, _)| to == address);
        to.map(|(_, subject)| subject.clone()).collect()
    }
}

static MOCK: LazyLock<Arc<MockSender>> = LazyLock::new(Arc::default);

fn email() -> Arc<dyn EmailSender> {
    Arc::clone(&*MOCK) as Arc<dyn EmailSender>
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct UserCreated {
    email: String,
}

#[belts::function(id = "welcome-user", on = UserCreated)]
async fn welcome_user(user: UserCreated) -> belts::Result<String> {
    let message = step!("step-1", email().send(&user.email, "welcome")).await?;
    step!("step-2", email().send(&user.email, "first steps")).await?;
    Ok(message)
}

#[derive(Debug, Serialize, Deserialize, Event)]
struct UserDeleted {}

#[belts::function(id = "forget-user", on = UserDeleted)]
async fn forget_user(_: UserDeleted) -> belts::Result<()> {
    Err(belts::terminal("the user is not there"))
}

async fn worker() -> (Worker, Memory) {
    let store = Memory::new();
    let builder = Worker::builder().store(store.clone());
    let worker = builder.function(welcome_user).function(forget_user).build();
    (worker.await.unwrap(), store)
}

fn user(email: &str) -> UserCreated {
    UserCreated {
        email: email.to_owned(),
    }
}

#[tokio::test]
async fn a_function_mails_with_the_mocked_sender() {
    let (worker, _) = worker().await;
    let executed = worker
        .execute(user("ada@example.com"))
        .function("welcome-user")
        .await
        .unwrap();
    let message: String = executed.output("welcome-user").unwrap();
    assert!(message.starts_with("message-"), "{message}");
    assert_eq!(MOCK.sent_to("ada@example.com"), ["welcome", "first steps"]);
}

#[tokio::test]
async fn one_step_is_run_by_its_name_and_its_stored_result_is_read() {
    let (worker, store) = worker().await;
    let execute = worker
        .execute(user("bob@example.com"))
        .function("welcome-user")
        .run_id("test-123")
        .until("step-1");
    execute.await.unwrap();

    let store = TestStore::new(Arc::new(store));
    let message: String = store.step_result("test-123", "step-1").await.unwrap();
    assert!(message.starts_with("message-"), "{message}");
    assert_eq!(MOCK.sent_to("bob@example.com"), ["welcome"]);
    let missing = store.step_result::<String>("test-123", "step-2").await;
    assert_eq!(
        missing.unwrap_err().to_string(),
        "run `test-123` has not recorded the step `step-2`; it has recorded step-1"
    );
}

#[tokio::test]
async fn a_function_that_fails_is_answered_with_500_and_its_message() {
    let harness = belts::testing::Harness::new().await.unwrap();
    let answer = harness
        .post(json!({ "event": { "type": "user-deleted" } }))
        .await
        .unwrap();
    answer.assert_status(500);
    let body: Value = answer.json().unwrap();
    assert_eq!(body["error"], true);
    let message = body["message"].as_str().unwrap();
    assert!(message.contains("the user is not there"), "{message}");
}
