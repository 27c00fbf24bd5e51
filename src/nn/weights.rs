//! Weights in safetensors: names, shapes and kinds compared both ways.
//!
//! Layer 5.

use super::Encoder;
use crate::error::{Error, Result};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use tch::{Kind, Tensor};

/// Loads weights of any float kind into the encoder.
///
/// # Errors
/// When the file cannot be read, is truncated, lacks or adds a tensor, or a tensor has another shape or holds NaN or
/// infinity; the message names the file and the tensor, and the encoder is left as it was.
pub fn load(encoder: &Encoder, path: &Path) -> Result<()> {
    load_some(encoder, path, &|_| true)
}

/// As [`load`], but only the tensors that `chosen` names are compared and loaded; the others stay as they are.
///
/// # Errors
/// As for [`load`].
pub fn load_some(encoder: &Encoder, path: &Path, chosen: &dyn Fn(&str) -> bool) -> Result<()> {
    let tensors: HashMap<String, Tensor> = read(path)?.into_iter().filter(|(name, _)| chosen(name)).collect();
    let parameters: Vec<_> = encoder.parameters().into_iter().filter(|(name, _)| chosen(name)).collect();
    let wanted: BTreeSet<&str> = parameters.iter().map(|(name, _)| name.as_str()).collect();
    let found: BTreeSet<&str> = tensors.keys().map(String::as_str).collect();
    if let Some(name) = wanted.difference(&found).next() {
        return Err(Error::model(path, format!("tensor {name} is missing: model.json describes another network")));
    }
    if let Some(name) = found.difference(&wanted).next() {
        return Err(Error::model(path, format!("tensor {name} is not part of the network that model.json describes")));
    }
    for (name, parameter) in &parameters {
        let (has, must) = (tensors[name].size(), parameter.size());
        if has != must {
            return Err(Error::model(path, format!("tensor {name} has shape {has:?}: must be {must:?}")));
        }
        if tensors[name].isfinite().logical_not().any().int64_value(&[]) != 0 {
            return Err(Error::model(path, format!("tensor {name} holds NaN or infinity: the file is damaged")));
        }
    }
    tch::no_grad(|| {
        for (name, parameter) in parameters {
            let mut parameter = parameter;
            parameter.copy_(&tensors[&name]);
        }
    });
    Ok(())
}

/// All tensors of a safetensors file with their names, sorted by name.
///
/// # Errors
/// When the file cannot be read or holds something other than float tensors.
pub fn read(path: &Path) -> Result<Vec<(String, Tensor)>> {
    let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| damaged(path, &error))?;
    let mut tensors = Vec::new();
    for (name, view) in file.tensors() {
        let kind = match view.dtype() {
            Dtype::F64 => Kind::Double,
            Dtype::F32 => Kind::Float,
            Dtype::F16 => Kind::Half,
            Dtype::BF16 => Kind::BFloat16,
            Dtype::I64 => Kind::Int64,
            other => return Err(Error::model(path, format!("tensor {name} is of kind {other:?}: must be a float"))),
        };
        let shape: Vec<i64> = view.shape().iter().map(|&size| size as i64).collect();
        tensors.push((name, Tensor::f_from_data_size(view.data(), &shape, kind)?));
    }
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(tensors)
}

/// Saves an encoder's weights as `kind` (`Kind::Float` or `Kind::Half`), atomically.
///
/// # Errors
/// When the file cannot be written.
pub fn save(encoder: &Encoder, path: &Path, kind: Kind) -> Result<()> {
    let tensors: Vec<_> = encoder.parameters().into_iter().map(|(name, t)| (name, t.to_kind(kind))).collect();
    write(&tensors, path, None)
}

/// Writes tensors with their names and own kinds, and free text as `metadata`, atomically.
///
/// # Errors
/// When the file cannot be written or a tensor is of a kind other than float or `i64`.
pub fn write(tensors: &[(String, Tensor)], path: &Path, metadata: Option<HashMap<String, String>>) -> Result<()> {
    let mut parts = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let dtype = match tensor.kind() {
            Kind::Double => Dtype::F64,
            Kind::Float => Dtype::F32,
            Kind::Half => Dtype::F16,
            Kind::BFloat16 => Dtype::BF16,
            Kind::Int64 => Dtype::I64,
            other => return Err(Error::Shape(format!("tensor {name} is of kind {other:?}: cannot be saved"))),
        };
        let tensor = tensor.detach().to_device(tch::Device::Cpu).contiguous();
        let elements = tensor.numel();
        let mut bytes = vec![0u8; elements * tensor.kind().elt_size_in_bytes()];
        tensor.f_copy_data_u8(&mut bytes, elements)?;
        let shape: Vec<usize> = tensor.size().iter().map(|&size| size as usize).collect();
        parts.push((name, dtype, shape, bytes));
    }
    let views =
        parts.iter().map(|(name, dtype, shape, bytes)| Ok((name, TensorView::new(*dtype, shape.clone(), bytes)?)));
    let views: Vec<_> =
        views.collect::<Result<_, safetensors::SafeTensorError>>().map_err(|e| Error::Shape(e.to_string()))?;
    let file = serialize(views, metadata).map_err(|error| Error::Shape(error.to_string()))?;
    crate::error::write_atomically(path, &file)
}

/// The free text that [`write()`] was given.
///
/// # Errors
/// When the file cannot be read or is not safetensors.
pub fn read_metadata(path: &Path) -> Result<HashMap<String, String>> {
    let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|error| damaged(path, &error))?;
    Ok(metadata.metadata().clone().unwrap_or_default())
}

fn damaged(path: &Path, error: &safetensors::SafeTensorError) -> Error {
    Error::model(path, format!("not a whole safetensors file ({error}): fetch it again"))
}
