//! The driver's library, which may not be there: it is looked for before anything of it is called.
//!
//! cudarc panics if the library is missing, or if it is so old that it lacks a function. So all functions that are used are looked
//! for first, and an answer says what is wrong.

use std::ffi::CStr;

use cudarc::driver::sys;

use crate::compute::ComputeError;

/// Functions of the driver that are used.
const USED: [&str; 47] = [
    "cuInit",
    "cuDriverGetVersion",
    "cuDeviceGetCount",
    "cuDeviceGet",
    "cuDeviceGetName",
    "cuDeviceGetAttribute",
    "cuDeviceTotalMem_v2",
    "cuDevicePrimaryCtxRetain",
    "cuDevicePrimaryCtxRelease_v2",
    "cuCtxSetCurrent",
    "cuMemGetInfo_v2",
    "cuMemAlloc_v2",
    "cuMemFree_v2",
    "cuMemcpyHtoDAsync_v2",
    "cuMemcpyDtoHAsync_v2",
    "cuMemcpyDtoDAsync_v2",
    "cuMemsetD8Async",
    "cuModuleLoadData",
    "cuModuleUnload",
    "cuModuleGetFunction",
    "cuFuncGetAttribute",
    "cuFuncSetAttribute",
    "cuStreamCreate",
    "cuStreamDestroy_v2",
    "cuStreamSynchronize",
    "cuStreamWaitEvent",
    "cuEventCreate",
    "cuEventDestroy_v2",
    "cuEventRecord",
    "cuEventSynchronize",
    "cuEventQuery",
    "cuDeviceCanAccessPeer",
    "cuCtxEnablePeerAccess",
    "cuMemcpyPeerAsync",
    "cuMemHostAlloc",
    "cuMemFreeHost",
    "cuLaunchKernel",
    "cuGraphCreate",
    "cuGraphDestroy",
    "cuGraphAddKernelNode_v2",
    "cuGraphAddMemsetNode",
    "cuGraphInstantiateWithFlags",
    "cuGraphExecDestroy",
    "cuGraphExecKernelNodeSetParams_v2",
    "cuGraphExecMemsetNodeSetParams",
    "cuGraphLaunch",
    "cuGetErrorString",
];

/// What there is of a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// No library: no driver is installed.
    Missing,
    /// A library that cannot be used.
    Unusable(String),
    /// The version that the driver is for, as 12080, and its cards.
    Present { version: i32, cards: Vec<CardInfo> },
}

/// A card as the driver describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardInfo {
    pub name: String,
    /// Compute capability, as (8, 9).
    pub capability: (i32, i32),
    /// Bytes of memory.
    pub memory: usize,
    pub multiprocessors: usize,
}

/// Looks for the driver and its cards. Never panics, and starts nothing on a card.
#[must_use]
pub fn presence() -> Presence {
    // SAFETY: opens a library by the names that the system's drivers have; its initialisers are the driver's own.
    #[allow(unsafe_code)]
    if !unsafe { sys::is_culib_present() } {
        return Presence::Missing;
    }
    // SAFETY: the library is there, as was just seen; a symbol is looked up and not called.
    #[allow(unsafe_code)]
    let lacks = USED
        .iter()
        .find(|name| unsafe { sys::culib().get::<unsafe extern "C" fn()>(name.as_bytes()).is_err() });
    if let Some(name) = lacks {
        return Presence::Unusable(format!("it lacks {name}: it is older than CUDA 12"));
    }
    match cards() {
        Ok((version, cards)) => Presence::Present { version, cards },
        Err(error) => Presence::Unusable(error.to_string()),
    }
}

/// The driver's version and cards.
fn cards() -> Result<(i32, Vec<CardInfo>), ComputeError> {
    let (mut version, mut count) = (0, 0);
    // SAFETY: the functions are there (`presence`), and write to places of the types that they are given.
    #[allow(unsafe_code)]
    unsafe {
        check(sys::cuInit(0), "starting the driver")?;
        check(
            sys::cuDriverGetVersion(&raw mut version),
            "asking for the driver's version",
        )?;
        check(sys::cuDeviceGetCount(&raw mut count), "counting cards")?;
    }
    let cards = (0..count)
        .map(|ordinal| card(device(ordinal)?))
        .collect::<Result<_, _>>()?;
    Ok((version, cards))
}

/// The handle of a card by its number.
pub(super) fn device(ordinal: i32) -> Result<sys::CUdevice, ComputeError> {
    let mut device = 0;
    // SAFETY: as in `cards`.
    #[allow(unsafe_code)]
    let answer = unsafe { sys::cuDeviceGet(&raw mut device, ordinal) };
    check(answer, "asking for a card")?;
    Ok(device)
}

/// A property of a card.
pub(super) fn attribute(device: sys::CUdevice, which: sys::CUdevice_attribute) -> Result<i32, ComputeError> {
    let mut value = 0;
    // SAFETY: as in `cards`.
    #[allow(unsafe_code)]
    let answer = unsafe { sys::cuDeviceGetAttribute(&raw mut value, which, device) };
    check(answer, "asking what a card can do")?;
    Ok(value)
}

pub(super) fn card(device: sys::CUdevice) -> Result<CardInfo, ComputeError> {
    use sys::CUdevice_attribute_enum as Attribute;
    const NAME: i32 = 128;
    let mut name = [0_u8; NAME as usize];
    let mut memory = 0;
    // SAFETY: as in `cards`; the name is cut to the room it is given.
    #[allow(unsafe_code)]
    unsafe {
        check(
            sys::cuDeviceGetName(name.as_mut_ptr().cast(), NAME, device),
            "asking for a card's name",
        )?;
        check(
            sys::cuDeviceTotalMem_v2(&raw mut memory, device),
            "asking for a card's memory",
        )?;
    }
    let name =
        CStr::from_bytes_until_nul(&name).map_or_else(|_| String::new(), |name| name.to_string_lossy().into_owned());
    Ok(CardInfo {
        name,
        capability: (
            attribute(device, Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            attribute(device, Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        ),
        memory,
        multiprocessors: usize::try_from(attribute(device, Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?)
            .unwrap_or(1),
    })
}

/// An answer of the driver as an error that says what was being done.
pub(super) fn check(answer: sys::CUresult, doing: &str) -> Result<(), ComputeError> {
    if answer == sys::CUresult::CUDA_SUCCESS {
        return Ok(());
    }
    let mut text = std::ptr::null();
    // SAFETY: the driver gives a text of its own that stays, or leaves the pointer null for a number it does not know.
    #[allow(unsafe_code)]
    let said = unsafe {
        let _ = sys::cuGetErrorString(answer, &raw mut text);
        if text.is_null() {
            "an error without a name".to_owned()
        } else {
            CStr::from_ptr(text).to_string_lossy().into_owned()
        }
    };
    Err(ComputeError::Backend(format!(
        "the graphics card: {doing}: {said} ({})",
        answer as u32
    )))
}
