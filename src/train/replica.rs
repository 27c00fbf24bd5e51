//! Replicas of the network, one a thread: each computes the gradient of its rows of a batch with one LibTorch thread.
//!
//! Layer 8. Small recurrent steps gain little from several LibTorch threads; rows side by side gain almost all. The
//! replicas' weights are the master's memory, which changes only between steps. Gradients are added up in the replicas'
//! order, so a step depends on their number and on nothing else of the machine.

use super::batch::Batch;
use super::recipe::Precision;
use crate::error::{Error, Result};
use crate::model_dir::{Direction, Head};
use crate::nn::{CellState, Encoder, EncoderState, Mode, Outputs, ctc_loss, hidden, view_divergence};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::thread::JoinHandle;
use tch::{Kind, Tensor};

/// What all rows of a step share.
#[derive(Debug, Clone, Copy)]
pub(super) struct StepSettings {
    pub direction: Direction,
    pub dropout: f64,
    /// Frames that the gradient goes back at most; 0 is all.
    pub bptt_frames: usize,
    pub precision: Precision,
    /// Of the step's draws; each replica derives its own.
    pub seed: u64,
    /// What the sum of all rows' losses is divided by.
    pub divisor: f64,
    /// Weight of the divergence between the views of a recording.
    pub consistency: f64,
}

/// A step's loss and the gradient of every parameter, in the encoder's order.
pub(super) struct StepGradient {
    pub loss: f64,
    pub gradients: Vec<Tensor>,
    /// Sum over rows of each layer's norm of the forward `h` after the batch's last step.
    pub state_norms: Vec<f64>,
}

struct Replica {
    jobs: Option<Sender<(Batch, StepSettings)>>,
    results: Receiver<Result<StepGradient>>,
    thread: Option<JoinHandle<()>>,
}

/// The running replicas.
pub(super) struct Replicas {
    replicas: Vec<Replica>,
}

impl Replicas {
    /// Starts `count` of them (at least one) on the memory of `master`'s weights.
    pub fn start(master: &Encoder, count: usize) -> Result<Self> {
        let threads = if count > 1 { 1 } else { tch::get_num_threads() };
        let replicas = (0..count.max(1)).map(|index| Replica::start(master.replica(), index, threads));
        Ok(Replicas { replicas: replicas.collect::<Result<_>>()? })
    }

    /// Loss and gradient of a batch.
    pub fn step(&self, batch: Batch, settings: StepSettings) -> Result<StepGradient> {
        let parts = batch.split(self.replicas.len());
        let busy = parts.len();
        for (replica, part) in self.replicas.iter().zip(parts) {
            let jobs = replica.jobs.as_ref().ok_or_else(dead)?;
            jobs.send((part, settings)).map_err(|_| dead())?;
        }
        // All of them, whatever the first says: one left in its channel would be taken for the next step's.
        let results: Vec<Result<StepGradient>> =
            self.replicas[..busy].iter().map(|replica| replica.results.recv().map_err(|_| dead())?).collect();
        let mut results = results.into_iter();
        let mut total = results.next().ok_or_else(dead)??;
        for part in results {
            let part = part?;
            total.loss += part.loss;
            for (sum, norm) in total.state_norms.iter_mut().zip(&part.state_norms) {
                *sum += norm;
            }
            for (sum, gradient) in total.gradients.iter_mut().zip(&part.gradients) {
                let _ = sum.g_add_(gradient);
            }
        }
        Ok(total)
    }
}

fn dead() -> Error {
    Error::Shape("a training thread panicked: see the message above".to_string())
}

impl Replica {
    fn start(encoder: Encoder, index: usize, threads: i32) -> Result<Self> {
        let (jobs, inbox) = bounded::<(Batch, StepSettings)>(1);
        let (outbox, results) = bounded(1);
        let work = move || {
            // LibTorch's number is one a thread.
            tch::set_num_threads(threads);
            for (batch, settings) in inbox {
                let seed = settings.seed.wrapping_add((index as u64) << 48);
                if outbox.send(gradient(&encoder, &batch, &StepSettings { seed, ..settings })).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name(format!("replica {index}")).spawn(work);
        let thread = thread.map_err(|error| Error::io("a training thread", error))?;
        Ok(Replica { jobs: Some(jobs), results, thread: Some(thread) })
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of that thread has been printed; there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

/// Forward, CTC and backward of some rows.
fn gradient(encoder: &Encoder, batch: &Batch, settings: &StepSettings) -> Result<StepGradient> {
    let parameters = encoder.parameters();
    for (_, parameter) in &parameters {
        parameter.shallow_clone().zero_grad();
    }
    let (kind, device) = encoder.options();
    let x = Tensor::from_slice(&batch.features).view(batch.shape).to_device(device);
    let mode = Mode::Train { dropout: settings.dropout, seed: settings.seed, bptt_frames: settings.bptt_frames };
    let (loss, state) = match settings.precision {
        Precision::Float32 => loss(encoder, &x.to_kind(kind), batch, settings, mode)?,
        Precision::Bfloat16 => {
            let cast = encoder.cast(Kind::BFloat16);
            loss(&cast, &x.to_kind(Kind::BFloat16), batch, settings, mode)?
        }
    };
    let loss = loss / settings.divisor;
    loss.backward();
    let gradients = parameters.iter().map(|(_, parameter)| {
        let gradient = parameter.grad();
        if gradient.defined() { gradient } else { parameter.zeros_like().detach() }
    });
    let norm = |state: &CellState| {
        let squares = hidden(state).to_kind(Kind::Double).square().sum_dim_intlist(-1, false, Kind::Double);
        squares.sqrt().sum(Kind::Double).double_value(&[])
    };
    let state_norms = tch::no_grad(|| state.layers.iter().map(norm).collect());
    Ok(StepGradient { loss: loss.double_value(&[]), gradients: gradients.collect(), state_norms })
}

/// Sum of all rows' losses (CTC and what views differ in, or the cross-entropy of a class), and the states at the end.
fn loss(
    encoder: &Encoder,
    x: &Tensor,
    batch: &Batch,
    settings: &StepSettings,
    mode: Mode,
) -> Result<(Tensor, EncoderState)> {
    let Outputs { log_probs, steps, state } = encoder.run(x, &batch.lengths, settings.direction, mode)?;
    let loss = match encoder.config().head {
        Head::Ctc => {
            let ctc = ctc_loss(&log_probs, &steps, &batch.labels)?.sum(Kind::Double);
            match batch.views {
                2 => ctc + view_divergence(&log_probs, &steps)?.sum(Kind::Double) * settings.consistency,
                _ => ctc,
            }
        }
        Head::Classify => {
            // No word at all is class 0.
            let classes: Vec<i64> = batch.labels.iter().map(|labels| labels.first().copied().unwrap_or(0)).collect();
            let classes = Tensor::from_slice(&classes).to_device(log_probs.device());
            -log_probs.gather(1, &classes.unsqueeze(1), false).sum(Kind::Double)
        }
    };
    Ok((loss, state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model_dir::{CellKind, DirectionConfig, EncoderConfig, Grid};
    use std::sync::Mutex;
    use tch::Device;

    const GRID: Grid = Grid { chunk: 6, look_ahead: 4 };

    const SETTINGS: StepSettings = StepSettings {
        direction: Direction::LatencyControlled(GRID),
        dropout: 0.0,
        bptt_frames: 0,
        precision: Precision::Float32,
        seed: 1,
        divisor: 7.0,
        consistency: 0.0,
    };

    /// LibTorch's generator is one for the process: encoders are made in turns.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

    fn encoder() -> Encoder {
        let _turn = ONE_AT_A_TIME.lock();
        let config = EncoderConfig {
            input_dim: 3,
            stacking: 2,
            cell: CellKind::Lstm,
            layers: 2,
            hidden: 5,
            direction: DirectionConfig::LatencyControlled(vec![GRID]),
            vocabulary: 4,
            head: Head::Ctc,
        };
        Encoder::new(&config, 3, Kind::Double, Device::Cpu).expect("encoder")
    }

    /// Three rows of different lengths.
    fn batch() -> Batch {
        let lengths = vec![25i64, 18, 12];
        let value = |i: usize| ((i * 7919) % 97) as f32 / 50.0 - 1.0;
        Batch {
            features: (0..3 * 25 * 3).map(value).collect(),
            shape: [3, 25, 3],
            lengths,
            labels: vec![vec![1, 2, 2], vec![3], vec![]],
            names: vec!["a".into(), "b".into(), "c".into()],
            seconds: 0.55,
            views: 1,
        }
    }

    fn step(count: usize, precision: Precision) -> StepGradient {
        let settings = StepSettings { precision, ..SETTINGS };
        Replicas::start(&encoder(), count).expect("replicas").step(batch(), settings).expect("step")
    }

    fn worst(a: &StepGradient, b: &StepGradient) -> f64 {
        let difference = |(a, b): (&Tensor, &Tensor)| (a - b).abs().max().double_value(&[]);
        a.gradients.iter().zip(&b.gradients).map(difference).fold((a.loss - b.loss).abs(), f64::max)
    }

    #[test]
    fn replicas_give_the_gradient_of_the_whole_batch() {
        let whole = step(1, Precision::Float32);
        assert!(whole.gradients.iter().any(|gradient| gradient.abs().max().double_value(&[]) > 1e-3));
        for count in [2, 3, 5] {
            let parts = step(count, Precision::Float32);
            assert!(worst(&whole, &parts) < 1e-12, "{count} replicas: {}", worst(&whole, &parts));
        }
    }

    #[test]
    fn a_classifiers_gradient_is_that_of_its_probabilities() {
        let directions = [(DirectionConfig::Forward, Direction::Forward), (DirectionConfig::Full, Direction::Full)];
        for (trained, direction) in directions {
            let config = EncoderConfig { head: Head::Classify, direction: trained, ..encoder().config().clone() };
            let turn = ONE_AT_A_TIME.lock();
            let encoder = Encoder::new(&config, 3, Kind::Double, Device::Cpu).expect("encoder");
            drop(turn);
            let batch = || Batch { labels: vec![vec![1], vec![3], vec![]], ..batch() };
            let settings = StepSettings { direction, divisor: 3.0, ..SETTINGS };
            let whole = Replicas::start(&encoder, 1).expect("replicas").step(batch(), settings).expect("step");
            let parts = Replicas::start(&encoder, 2).expect("replicas").step(batch(), settings).expect("step");
            assert!(worst(&whole, &parts) < 1e-12);
            // The output layer's bias: the mean over rows of probability less truth.
            let x = Tensor::from_slice(&batch().features).view([3, 25, 3]).to_kind(Kind::Double);
            let probabilities = encoder.classify(&x, &batch().lengths, direction, Mode::Infer).expect("classes").exp();
            let truth = Tensor::from_slice(&[0.0f64, 1., 0., 0., 0., 0., 0., 1., 1., 0., 0., 0.]).view([3, 4]);
            let wanted = (probabilities - truth).mean_dim(0i64, false, Kind::Double);
            let found = whole.gradients.last().expect("the bias");
            assert!((found - wanted).abs().max().double_value(&[]) < 1e-12);
        }
    }

    #[test]
    fn bfloat16_gives_nearly_the_same_gradient() {
        let (exact, rough) = (step(1, Precision::Float32), step(1, Precision::Bfloat16));
        let norm = |gradients: &[Tensor]| {
            gradients.iter().map(|g| g.square().sum(Kind::Double).double_value(&[])).sum::<f64>().sqrt()
        };
        let differences: Vec<Tensor> = exact.gradients.iter().zip(&rough.gradients).map(|(a, b)| a - b).collect();
        let difference = norm(&differences) / norm(&exact.gradients);
        assert!(difference > 0.0 && difference < 0.05, "{difference}");
        assert!((exact.loss / rough.loss - 1.0).abs() < 0.02, "{} {}", exact.loss, rough.loss);
    }

    /// Two alike views of every row change nothing; unlike ones are drawn together, by as much in any number of replicas.
    #[test]
    fn views_are_held_against_each_other() {
        let twice = |change: f32| {
            let one = batch();
            let row = 25 * 3;
            let views = |rows: &[f32]| [rows.to_vec(), rows.iter().map(|value| value + change).collect()].concat();
            Batch {
                features: one.features.chunks(row).flat_map(views).collect(),
                shape: [6, 25, 3],
                lengths: one.lengths.iter().flat_map(|&length| [length; 2]).collect(),
                labels: one.labels.iter().flat_map(|labels| [labels.clone(), labels.clone()]).collect(),
                names: one.names.iter().flat_map(|name| [name.clone(), name.clone()]).collect(),
                views: 2,
                ..one
            }
        };
        let step = |batch: Batch, consistency: f64, count: usize| {
            let settings = StepSettings { consistency, divisor: SETTINGS.divisor * batch.views as f64, ..SETTINGS };
            Replicas::start(&encoder(), count).expect("replicas").step(batch, settings).expect("step")
        };
        assert!(worst(&step(batch(), 0.0, 1), &step(twice(0.0), 0.5, 1)) < 1e-12);
        let (apart, held) = (step(twice(0.3), 0.0, 1), step(twice(0.3), 0.5, 1));
        assert!(held.loss > apart.loss + 1e-6, "{} {}", held.loss, apart.loss);
        for count in [2, 3, 5] {
            assert!(worst(&held, &step(twice(0.3), 0.5, count)) < 1e-12, "{count} replicas");
        }
    }

    /// The gradient with the state detached by hand at the same places, and the full one's values.
    #[test]
    fn truncated_back_propagation_cuts_the_gradient_and_nothing_else() {
        let grid = |bptt_frames| {
            let settings = StepSettings { bptt_frames, ..SETTINGS };
            Replicas::start(&encoder(), 1).expect("replicas").step(batch(), settings).expect("step")
        };
        let full = grid(0);
        // 25 frames are blocks of 6: what reaches back further than all of them cuts nothing.
        assert!(worst(&full, &grid(30)) < 1e-12);
        let cut = grid(12);
        assert!((full.loss - cut.loss).abs() < 1e-12 && full.state_norms == cut.state_norms);
        assert!(worst(&full, &cut) > 1e-5, "{}", worst(&full, &cut));
        // The output layer sees no time; the further the gradient goes back, the nearer it is to the full one.
        let projection = |a: &StepGradient| a.gradients.last().expect("the bias").copy();
        assert!((projection(&full) - projection(&cut)).abs().max().double_value(&[]) < 1e-12);
        assert!(worst(&full, &grid(18)) < worst(&full, &grid(6)));
    }

    #[test]
    fn a_batch_that_does_not_fit_is_an_error_and_the_replica_goes_on() {
        let replicas = Replicas::start(&encoder(), 2).expect("replicas");
        let labels = vec![vec![1, 2, 2], vec![9], vec![]];
        assert!(replicas.step(Batch { labels, ..batch() }, SETTINGS).is_err());
        assert!(replicas.step(batch(), SETTINGS).is_ok());
    }
}
