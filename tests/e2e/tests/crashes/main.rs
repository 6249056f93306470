//! A process that dies before or after each step of the protocol: what the next one on the same store comes to, and how often
//! the token is presented for it. The keeper's front page shows the same table.

mod death;
mod process;
mod provider;

use rampauth_core::WhenUnknown;
use rampauth_keeper::State;

use death::{Death, Side, Step};
use process::{Disk, World};
use provider::{Move, Provider};
use std::time::Duration;

/// What the process was about when it died.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// A refresh that is due; the provider does this.
    Refresh(Move),
    /// A refresh of fresh tokens that somebody asked for by hand.
    ByHand(Move),
    /// A doubt whose end has come.
    Doubt,
    Reject,
    Put,
    Remove,
}

/// A row of the table: the process dies here.
const POINTS: [(&str, Flow, Step, Side); 25] = [
    ("before `load`", Flow::Refresh(Move::Grant), Step::Load, Side::Before),
    ("after `load`", Flow::Refresh(Move::Grant), Step::Load, Side::After),
    ("before `Begin`", Flow::Refresh(Move::Grant), Step::Begin, Side::Before),
    ("after `Begin`", Flow::Refresh(Move::Grant), Step::Begin, Side::After),
    ("before the request leaves", Flow::Refresh(Move::Grant), Step::Request, Side::Before),
    ("after the provider granted, before its answer", Flow::Refresh(Move::Grant), Step::Request, Side::After),
    ("before `Commit`", Flow::Refresh(Move::Grant), Step::Commit, Side::Before),
    ("after `Commit`", Flow::Refresh(Move::Grant), Step::Commit, Side::After),
    ("nothing was sent, before `Conclude`", Flow::Refresh(Move::NotSent), Step::Conclude, Side::Before),
    ("nothing was sent, after `Conclude`", Flow::Refresh(Move::NotSent), Step::Conclude, Side::After),
    ("the answer was lost, before `Conclude`", Flow::Refresh(Move::LoseAnswer), Step::Conclude, Side::Before),
    ("the answer was lost, after `Conclude`", Flow::Refresh(Move::LoseAnswer), Step::Conclude, Side::After),
    ("the token is dead, before `Conclude`", Flow::Refresh(Move::Dead), Step::Conclude, Side::Before),
    ("the token is dead, after `Conclude`", Flow::Refresh(Move::Dead), Step::Conclude, Side::After),
    ("by hand, after `Begin`", Flow::ByHand(Move::Grant), Step::Begin, Side::After),
    ("by hand, before `Commit`", Flow::ByHand(Move::Grant), Step::Commit, Side::Before),
    ("by hand, the answer was lost, before `Conclude`", Flow::ByHand(Move::LoseAnswer), Step::Conclude, Side::Before),
    ("before `GiveUp`", Flow::Doubt, Step::GiveUp, Side::Before),
    ("after `GiveUp`", Flow::Doubt, Step::GiveUp, Side::After),
    ("before `Reject`", Flow::Reject, Step::Reject, Side::Before),
    ("after `Reject`", Flow::Reject, Step::Reject, Side::After),
    ("before `Put`", Flow::Put, Step::Put, Side::Before),
    ("after `Put`", Flow::Put, Step::Put, Side::After),
    ("before `Remove`", Flow::Remove, Step::Remove, Side::Before),
    ("after `Remove`", Flow::Remove, Step::Remove, Side::After),
];

const SOON: Duration = Duration::from_secs(60);
const PROMPTLY: WhenUnknown = WhenUnknown::Promptly { within: SOON };

/// A column of the table: what the provider allows, and whether it answers a token that was used again.
const PROVIDERS: [(&str, WhenUnknown, bool); 4] = [
    ("`Promptly`, a grace", PROMPTLY, true),
    ("`Promptly`, no grace", PROMPTLY, false),
    ("`AtLastMoment`, a grace", WhenUnknown::AtLastMoment, true),
    ("`Stop`", WhenUnknown::Stop, true),
];

/// The table as the keeper's front page shows it, for providers that publish how a dead token is refused, or do not.
///
/// The next process starts this long after the death.
fn table(disk: &Disk, named: &[bool], pause: Duration) -> String {
    let titles: Vec<&str> = PROVIDERS.iter().map(|(title, ..)| *title).collect();
    let mut table = format!("| the process dies | {} |\n|---|---|---|---|---|\n", titles.join(" | "));
    for (title, flow, step, side) in POINTS {
        let cells = PROVIDERS.map(|(_, when_unknown, grace)| {
            let of = |named: &bool| {
                cell(disk, flow, &Death::at(step, side), pause, &Provider::new(when_unknown, grace, *named))
            };
            match &named.iter().map(of).collect::<Vec<_>>()[..] {
                [named, unnamed] if named != unnamed => format!("{named}; where a dead token has no code: {unnamed}"),
                cells => cells[0].clone(),
            }
        });
        table += &format!("| {title} | {} |\n", cells.join(" | "));
    }
    table
}

/// The life of one session, told by what the store holds when all is done.
fn cell(disk: &Disk, flow: Flow, death: &Death, pause: Duration, provider: &Provider) -> String {
    let world = World::new(disk, provider.clone());
    world.live(|session| async move { session.put(provider::login(0)).await.expect("saved") });
    // Most of the access token's life is over.
    let due = matches!(flow, Flow::Refresh(_) | Flow::Doubt);
    world.pass(if due { provider::LIFETIME * 8 / 10 } else { provider::LIFETIME / 10 });
    match flow {
        Flow::Refresh(next) | Flow::ByHand(next) => provider.next(next),
        Flow::Doubt => {
            provider.next(Move::LoseAnswer);
            world.stay(Duration::from_secs(1));
        }
        _ => {}
    }
    let died = world.die(death, |session| async move {
        match flow {
            Flow::Refresh(_) | Flow::Doubt => tokio::time::sleep(provider::LIFETIME / 5).await,
            Flow::ByHand(_) => drop(session.refresh().await),
            Flow::Reject => session.reject(&session.access_token().await.expect("a token")).await.expect("noted"),
            Flow::Put => session.put(provider::login(100)).await.expect("saved"),
            Flow::Remove => session.remove().await.expect("removed"),
        }
    });
    if !died {
        return "not reached".to_owned();
    }
    let mut when = "";
    world.pass(pause);
    world.stay(SOON);
    if !matches!(flow, Flow::Reject) && found(&world).is_none()
        || flow == Flow::Reject && found(&world) == Some("as it was")
    {
        when = if flow == Flow::Reject { " when they are due" } else { " at the last moment" };
        world.stay(provider::LIFETIME);
    }
    let found = found(&world).unwrap_or("in doubt");
    match provider.presentations() {
        0 => format!("{found}{when}"),
        // The floor between attempts has jitter.
        2.. if found == "as it was" => format!("{found}, refused again and again"),
        times => format!("{found}{when}, {times}"),
    }
}

/// What the store holds; `None` for a doubt.
fn found(world: &World) -> Option<&'static str> {
    let record = world.record();
    Some(match record.state {
        State::Tombstone => "logged out",
        State::LoginNeeded => "login needed",
        State::Ready if record.attempt.is_none() => match provider::number(&record) {
            0 => "as it was",
            100 => "the new login",
            _ => "new tokens",
        },
        _ => return None,
    })
}

#[test]
fn the_next_process_comes_to_what_the_keeper_s_front_page_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rampauth.db");
    // Somebody else has it open: the log is moved into the file by nobody who closes it.
    let _open = rampauth_store_sqlite::SqliteStore::open(&file).expect("a store");
    let sqlite = Disk::Sqlite(file);
    let at_once = table(&Disk::Memory, &[true], Duration::ZERO);
    assert_eq!(at_once, table(&sqlite, &[true], Duration::ZERO), "every store alike");
    for seconds in [10, 20, 40] {
        // While the dead process's claim holds.
        assert_eq!(at_once, table(&Disk::Memory, &[true], Duration::from_secs(seconds)), "{seconds} s later");
    }
    let table = table(&Disk::Memory, &[true, false], Duration::ZERO);
    let page = include_str!("../../../../crates/keeper/README.md");
    assert!(page.contains(&table), "crates/keeper/README.md has to say:\n\n{table}");
}
