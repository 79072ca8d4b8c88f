//! Telling a person who looks elsewhere.

use super::super::super::notify::Notification;
use super::rig::Rig;
use super::*;

impl Rig {
    /// A reply that took so many seconds; what came of it.
    fn long_reply(&mut self, seconds: u64) -> Vec<Effect> {
        self.question("q");
        self.wait(seconds * 1000);
        self.token(Channel::Answer, "a");
        self.input(Input::Conversation(Event::Finished(Finished {
            reason: StopReason::EndOfSequence,
            prompt_tokens: 1,
            answer_tokens: 1,
            decode: Duration::from_secs(1),
            ..Finished::default()
        })))
    }
}

fn told(effects: &[Effect]) -> Option<&str> {
    effects.iter().find_map(|effect| match effect {
        Effect::Notify(Notification { body, .. }) => Some(body.as_str()),
        _ => None,
    })
}

#[test]
fn a_long_reply_is_told_to_who_looks_elsewhere() {
    let mut rig = Rig::ready(80, 24);
    rig.input(Input::Focus(false));
    assert_eq!(told(&rig.long_reply(42)), Some("the reply is there, after 0:42"));
    assert_eq!(told(&rig.long_reply(5)), None, "it was short");
    rig.input(Input::Focus(true));
    assert_eq!(told(&rig.long_reply(42)), None, "they look");
}

#[test]
fn where_the_terminal_does_not_say_keys_do() {
    let mut rig = Rig::ready(80, 24);
    rig.key(KeyCode::Char('x'));
    rig.wait(10);
    assert!(
        told(&rig.long_reply(42)).is_some(),
        "what was pressed before it began is nothing"
    );
    rig.question("q");
    rig.wait(1000);
    rig.key(KeyCode::Char('x'));
    assert_eq!(told(&rig.long_reply(42)), None);
}

#[test]
fn what_was_cancelled_or_goes_on_is_not_told() {
    let mut rig = Rig::ready(80, 24);
    rig.input(Input::Focus(false));
    rig.question("q");
    rig.key(KeyCode::Esc);
    assert_eq!(told(&rig.long_reply(42)), None);
    rig.app.queue.push_back("another".into());
    rig.app.queue.push_back("and another".into());
    assert_eq!(told(&rig.long_reply(42)), None, "the next one begins");
    assert!(told(&rig.long_reply(42)).is_some());
}

#[test]
fn it_can_be_set_and_switched_off() {
    let mut rig = Rig::ready(80, 24);
    rig.input(Input::Focus(false));
    rig.app.setup.settings.notify.after = crate::config::Count(60);
    assert_eq!(told(&rig.long_reply(42)), None);
    assert!(told(&rig.long_reply(61)).is_some());
    assert_eq!(rig.ask("/notify"), []);
    rig.shows("nothing is told any more");
    assert_eq!(told(&rig.long_reply(61)), None);
    rig.ask("/notify");
    rig.shows("the terminal tells it");
    assert!(told(&rig.long_reply(61)).is_some());
}

#[test]
fn reading_the_documents_is_told_too() {
    let mut rig = Rig::new(80, 24);
    rig.input(Input::Focus(false));
    rig.documents(Vec::new());
    rig.prefill(100, 1000);
    assert_eq!(rig.app.title(), "prefill 10% · thunderhead");
    rig.wait(31_000);
    let finished = Finished {
        reason: StopReason::Prefilled,
        prompt_tokens: 1000,
        ..Finished::default()
    };
    let effects = rig.input(Input::Conversation(Event::Finished(finished)));
    assert_eq!(told(&effects), Some("the documents are read, after 0:31"));
    assert_eq!(rig.app.title(), "ready · thunderhead");
}

#[test]
fn the_status_parts_the_context_and_prices_the_next_question() {
    let mut rig = Rig::new(160, 24);
    rig.app.setup.placement = "2 threads, avx2".into();
    rig.pack(&[("a.txt", 40_000), ("b.txt", 1_233)], Vec::new());
    rig.prefill(11_233, 41_433);
    rig.finish(StopReason::Cancelled);
    rig.shows("pico · 2 threads, avx2 · ready · ctx 11,233/100,000 (11%) · docs 11K · chat 0");
    rig.shows("next question: 30,000 tok ≈ 0:30");
    rig.app.size.width = 80;
    rig.shows("next question: 30,000 tok");
    // Read whole, it costs nothing worth a word; a reply belongs to the chat.
    rig.app.size.width = 160;
    rig.reply("q");
    rig.lacks("next question:");
    rig.shows("docs 41K · chat ");
}
