//! Runs measured workloads on the round-robin runtime and prints their numbers, without the comparison around them:
//! `cargo run --release -p step02 --example measure -- spawn_join switch ping_pong`.

use step02::RoundRobin;
use workloads::catalog::{self, Outcome, Params, Size, StackWanted};
use workloads::side::{self, Side};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    side::become_if_asked();
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() {
        names = catalog::all()
            .iter()
            .map(|info| info.name.to_owned())
            .collect();
    }
    for name in names {
        let info = catalog::find(&name).ok_or_else(|| format!("no workload is named {name}"))?;
        let builder = match info.stack {
            StackWanted::Small => RoundRobin::builder().stack_size(64 << 10),
            _ => RoundRobin::builder(),
        };
        let params = Params {
            size: Size::Quick,
            workers: 1,
            side: Side::Process,
        };
        match catalog::run(&name, &builder.build()?, &params)? {
            Outcome::Skipped { reason } => println!("{name}: skipped, {reason}"),
            Outcome::Measured(samples) => {
                for sample in samples {
                    println!(
                        "{name}: {} {:.1} {}",
                        sample.metric, sample.value, sample.unit
                    );
                }
            }
        }
    }
    Ok(())
}
