//! Adam with decoupled weight decay, whose moments can be saved (tch's cannot).
//!
//! Layer 8. Source: Kingma & Ba 2015, algorithm 1; Loshchilov & Hutter 2019 (AdamW).

use crate::error::{Error, Result};
use tch::{Kind, Tensor};

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.98;
const EPSILON: f64 = 1e-8;

/// Sum of squares of each gradient; infinite or NaN where the gradient is.
pub fn squares(gradients: &[Tensor]) -> Vec<f64> {
    gradients.iter().map(|gradient| gradient.square().sum(Kind::Double).double_value(&[])).collect()
}

/// Parameters with their two moments.
#[derive(Debug)]
pub struct Adam {
    parameters: Vec<(String, Tensor)>,
    first: Vec<Tensor>,
    second: Vec<Tensor>,
    steps: u64,
    weight_decay: f64,
}

impl Adam {
    /// Zero moments for named leaf parameters.
    pub fn new(parameters: Vec<(String, Tensor)>, weight_decay: f64) -> Self {
        let zeros = || parameters.iter().map(|(_, parameter)| parameter.zeros_like().detach()).collect();
        let (first, second) = (zeros(), zeros());
        Adam { parameters, first, second, steps: 0, weight_decay }
    }

    /// One step at `rate`, every gradient (one a parameter, in their order) times `scale`. Vectors (biases) do not decay.
    pub fn step(&mut self, gradients: &[Tensor], rate: f64, scale: f64) {
        self.steps += 1;
        let correct1 = 1.0 - BETA1.powi(self.steps as i32);
        let correct2 = 1.0 - BETA2.powi(self.steps as i32);
        tch::no_grad(|| {
            let moments = self.first.iter_mut().zip(&mut self.second);
            for (((_, parameter), gradient), (first, second)) in self.parameters.iter_mut().zip(gradients).zip(moments)
            {
                let _ = first.g_mul_scalar_(BETA1).g_add_(&(gradient * (scale * (1.0 - BETA1))));
                let root = gradient * (scale * (1.0 - BETA2).sqrt());
                let _ = second.g_mul_scalar_(BETA2).addcmul_(&root, &root);
                if parameter.dim() > 1 && self.weight_decay > 0.0 {
                    let _ = parameter.g_mul_scalar_(1.0 - rate * self.weight_decay);
                }
                let mut denominator = &*second / correct2;
                let denominator = denominator.sqrt_().g_add_scalar_(EPSILON);
                let _ = parameter.addcdiv_(&(&*first * (-rate / correct1)), &denominator);
            }
        });
    }

    /// The moments with names, for a checkpoint.
    pub fn moments(&self) -> Vec<(String, Tensor)> {
        let named = |kind: &'static str, tensors: &[Tensor]| {
            let pairs = self.parameters.iter().zip(tensors);
            pairs.map(move |((name, _), tensor)| (format!("{kind}.{name}"), tensor.shallow_clone())).collect::<Vec<_>>()
        };
        let mut moments = named("adam.first", &self.first);
        moments.extend(named("adam.second", &self.second));
        moments
    }

    /// Goes on from saved moments after `steps` steps.
    ///
    /// # Errors
    /// When a moment is missing or has another shape.
    pub fn restore(&mut self, steps: u64, find: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        for (kind, tensors) in [("adam.first", &mut self.first), ("adam.second", &mut self.second)] {
            for ((name, parameter), tensor) in self.parameters.iter().zip(tensors) {
                let name = format!("{kind}.{name}");
                let saved = find(&name).filter(|saved| saved.size() == parameter.size());
                let saved = saved.ok_or_else(|| Error::Shape(format!("{name} is missing or has another shape")))?;
                tensor.copy_(&saved);
            }
        }
        self.steps = steps;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    /// Worked by hand (and by a loop in NumPy) for f(w) = w^2 from w = 1, rate 0.1, decay 0.
    #[test]
    fn three_steps_equal_the_textbook() {
        let w = Tensor::from_slice(&[1.0f64]).set_requires_grad(true);
        let mut adam = Adam::new(vec![("w".into(), w.shallow_clone())], 0.0);
        let (mut m, mut v, mut wanted) = (0.0f64, 0.0f64, 1.0f64);
        for t in 1..=3 {
            let gradients = Tensor::run_backward(&[w.square().sum(Kind::Double)], &[&w], false, false);
            assert!((squares(&gradients)[0] - (2.0 * wanted).powi(2)).abs() < 1e-12);
            adam.step(&gradients, 0.1, 1.0);
            let g = 2.0 * wanted;
            m = 0.9 * m + 0.1 * g;
            v = 0.98 * v + 0.02 * g * g;
            wanted -= 0.1 * (m / (1.0 - 0.9f64.powi(t))) / ((v / (1.0 - 0.98f64.powi(t))).sqrt() + 1e-8);
            assert!((w.double_value(&[0]) - wanted).abs() < 1e-12, "step {t}");
        }
    }

    #[test]
    fn only_matrices_decay() {
        let options = (Kind::Double, Device::Cpu);
        let matrix = Tensor::ones([2, 2], options).set_requires_grad(true);
        let vector = Tensor::ones([2], options).set_requires_grad(true);
        let mut adam = Adam::new(vec![("m".into(), matrix.shallow_clone()), ("v".into(), vector.shallow_clone())], 0.5);
        let gradients = [matrix.zeros_like().detach(), vector.zeros_like().detach()];
        adam.step(&gradients, 0.1, 1.0);
        assert!((matrix.double_value(&[0, 0]) - 0.95).abs() < 1e-12);
        assert!((vector.double_value(&[0]) - 1.0).abs() < 1e-12);
    }
}
