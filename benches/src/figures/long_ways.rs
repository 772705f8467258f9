//! Bulk between regions that are far apart, over ways that lose packets: QUIC
//! beside TCP.

use std::path::Path;
use std::time::Instant;

use storage_node_client::bulk::Choice;

use super::content::random;
use super::regions::{THERE, World, in_network};
use super::report::{Goal, Report};

/// What is sent.
const BULK: usize = 16 << 20;
/// Losses, in thousandths.
const LOSSES: [u16; 3] = [0, 1, 10];

/// One blob into three copies on the other side, and back.
pub(super) fn measure(place: &Path, rounds: usize) -> anyhow::Result<Report> {
    let place = place.to_owned();
    in_network(move || {
        let world = World::start(&place)?;
        let mut report = Report::new("Bulk between regions 80 ms apart", "QUIC", "TCP");
        world.survive("node", &["eu=3"], &["eu=3"])?;
        world.wait_for_voters(3)?;
        world.bulk(rounds, &mut report)?;
        report.note(
            "One blob of 16 MiB from us into three copies in eu, and back; packets of 1,500 bytes, lost at random in both directions."
                .to_owned(),
        );
        Ok(report)
    })
}

impl World {
    fn bulk(&self, rounds: usize, report: &mut Report) -> anyhow::Result<()> {
        for loss in LOSSES {
            self.distance(loss);
            let (mut writes, mut reads) = (Vec::new(), Vec::new());
            for _ in 0..rounds {
                let quic = self.one_bulk(Choice::Quic)?;
                let tcp = self.one_bulk(Choice::Tcp)?;
                writes.push((quic.0, tcp.0));
                reads.push((quic.1, tcp.1));
            }
            let loss = f64::from(loss) / 10.0;
            for (what, pairs) in [("write", writes), ("read", reads)] {
                let row = format!("{what} across regions, {loss} % lost");
                report.pairs(&row, "MB/s", &pairs, Goal::None);
            }
        }
        Ok(())
    }

    /// MB/s of a write and a read; nought for what did not come about.
    fn one_bulk(&self, choice: Choice) -> anyhow::Result<(f64, f64)> {
        self.with_tier(THERE, choice, async |tier| {
            let speed = |began: Instant| BULK as f64 / 1e6 / began.elapsed().as_secs_f64();
            // Connections are there before.
            let small = tier.write(random(64 << 10, &tier.runtime).into()).await?;
            tier.read(&small, 64 << 10).await?;
            let content = random(BULK, &tier.runtime);
            let began = Instant::now();
            let written = match tier.write(content.into()).await {
                Ok(written) => written,
                Err(error) => {
                    eprintln!("a write did not come about: {error:#}");
                    return Ok((0.0, 0.0));
                }
            };
            let wrote = speed(began);
            let began = Instant::now();
            let read = tier.read(&written, BULK as u64).await;
            if let Err(error) = &read {
                eprintln!("a read did not come about: {error:#}");
            }
            Ok((wrote, if read.is_ok() { speed(began) } else { 0.0 }))
        })
    }
}
