//! The keeper on a memory store, tokio's paused time and a scripted provider: each rule has a test that is named after it.

mod ahead_of_time;
mod claims;
mod clocks;
mod doubt;
mod failing;
mod late;
mod letting_go;
mod logins;
mod manual;
mod metrics;
mod no_better;
mod outcomes;
mod pauses;
mod permits;
mod refreshing;
mod rejected;
mod round_trips;
mod sealing;
mod sharing;
mod short_lives;
mod stored_pauses;
mod support;
mod unhappy;
mod unsaved;
mod wall;
mod write;
