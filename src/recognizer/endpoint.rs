//! Endpoint rules, pure.
/// One rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum EndpointRule {}
/// The rules' settings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EndpointConfig {}
/// Decides.
#[derive(Debug, Clone, Default)]
pub struct Endpointer {}
