//! The agent: a loop of turns. In each the model is asked, and the tool that it wants is called, once.

use belts::{Context, Event, State, callback, scope, step};
use serde::{Deserialize, Serialize};

use crate::provider::{Provider, Reply, ToolCall};

/// More turns than any plan needs: a model that goes round in circles is stopped.
const MOST_TURNS: usize = 20;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(crate) struct DinnerAsked {
    pub(crate) wish: String,
}

/// What a person says of a tool that the model wants to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Decision {
    Approve,
    Reject,
}

#[belts::function(id = "plan-dinner", on = DinnerAsked, max_steps = 200)]
async fn plan_dinner(
    asked: DinnerAsked,
    State(provider): State<Provider>,
    cx: Context,
) -> belts::Result<String> {
    // What was said so far. It is not recorded as a whole: each turn records what it adds, and a replay puts it together again.
    let mut chat = vec![asked.wish];
    for number in 1..=MOST_TURNS {
        // For whoever watches; tokens of a model go to the browser past belts.
        cx.set_status(&format!("turn {number}")).await?;
        if let Some(answer) = scope!("turn-{number}", turn(&provider, &mut chat, &cx)).await? {
            return Ok(answer);
        }
    }
    Err(belts::terminal(format!("no plan after {MOST_TURNS} turns")))
}

/// One turn: the model's answer if that was the last, or what a tool said, in the chat.
#[belts::steps]
async fn turn(
    provider: &Provider,
    chat: &mut Vec<String>,
    cx: &Context,
) -> belts::Result<Option<String>> {
    // The call is paid for. If the process dies before the reply is recorded, the provider is asked for it.
    let key = format!("{}/think-{}", cx.run_id(), chat.len());
    let reply = step!(
        "think",
        provider.think(chat, &key),
        unknown = ask(provider.find(&key))
    )
    .await?;
    let call = match reply {
        Reply::Answer(answer) => return Ok(Some(answer)),
        Reply::Tool(call) => call,
    };
    let said = if call.needs_approval
        && scope!("approval", ask(provider, &call)).await? == Decision::Reject
    {
        "a person has refused this".to_owned()
    } else {
        // Its key is the id that the model gave it, so that several may run side by side.
        let (id, key) = (&call.id, format!("{}/{}", cx.run_id(), call.id));
        step!(
            "tool-{id}",
            provider.call(&call, &key),
            unknown = ask(provider.find(&key))
        )
        .await?
    };
    chat.extend([format!("call {}", call.name), said]);
    Ok(None)
}

/// Asks a person about this call alone, with its arguments.
#[belts::steps]
async fn ask(provider: &Provider, call: &ToolCall) -> belts::Result<Decision> {
    let approval = callback!("decision", Decision).await?;
    step!(
        "mail",
        provider.mail(approval.id(), &format!("{} {}", call.name, call.argument))
    )
    .await?;
    approval.result().await
}
