//! The kernels as a program for a card: those that are built in, or compiled where they run.

use std::ffi::{CStr, CString};

use cudarc::nvrtc::sys as nvrtc;

use crate::compute::ComputeError;

/// Made by `kernels/build` of the sources beside it: cubins for `sm_80`, 86, 89, 90a and 120, and PTX for what comes after.
pub(super) static FATBIN: &[u8] = include_bytes!("../../../../kernels/kernels.fatbin");

/// A file of `kernels/`.
macro_rules! sources {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../kernels/", $name)))),*]
    };
}

/// Everything that a compiler needs: no header is CUDA's.
pub(super) const SOURCES: &[(&str, &str)] = sources![
    "all.cu",
    "prelude.cuh",
    "weights.cuh",
    "attention.cu",
    "attention_decode.cu",
    "attention_f32.cu",
    "embed.cu",
    "gemm.cu",
    "gemv.cu",
    "lightning.cu",
    "lightning_decode.cu",
    "norm.cu",
    "permute.cu",
    "rope.cu",
    "router.cu",
    "sample.cu",
];

/// Whether NVRTC is there, and its version, as (12, 8).
#[must_use]
pub fn compiler() -> Option<(i32, i32)> {
    let (mut major, mut minor) = (0, 0);
    // SAFETY: the library is looked for before it is called, and writes two numbers.
    #[allow(unsafe_code)]
    let answered = unsafe {
        nvrtc::is_culib_present()
            && nvrtc::nvrtcVersion(&raw mut major, &raw mut minor) == nvrtc::nvrtcResult::NVRTC_SUCCESS
    };
    answered.then_some((major, minor))
}

/// The kernels as PTX for a card of this compute capability.
pub(super) fn compile(capability: (i32, i32)) -> Result<Vec<u8>, ComputeError> {
    let failed = |what: &str| ComputeError::Backend(format!("--kernels source: {what}"));
    if compiler().is_none() {
        return Err(failed(
            "NVRTC is not installed (libnvrtc.so, of the CUDA toolkit or of the package nvidia-cuda-nvrtc); leave the option out to run \
             the kernels that are built in",
        ));
    }
    let texts: Vec<CString> = SOURCES.iter().map(|(_, text)| c(text)).collect();
    let names: Vec<CString> = SOURCES.iter().map(|(name, _)| c(name)).collect();
    let pointers =
        |texts: &[CString]| -> Vec<*const std::ffi::c_char> { texts.iter().map(|text| text.as_ptr()).collect() };
    let (headers, include_names) = (pointers(&texts[1..]), pointers(&names[1..]));
    // Hopper's kernels may use what only Hopper has.
    let suffix = if capability == (9, 0) { "a" } else { "" };
    let options = [
        c(&format!(
            "--gpu-architecture=compute_{}{}{suffix}",
            capability.0, capability.1
        )),
        c("--std=c++17"),
    ];
    let options = pointers(&options);
    let count = |list: &[*const std::ffi::c_char]| i32::try_from(list.len()).expect("some files and options");
    let mut program = std::ptr::null_mut();
    // SAFETY: all texts end in zero and live until the program is destroyed; sizes are those of the lists.
    #[allow(unsafe_code)]
    unsafe {
        let created = nvrtc::nvrtcCreateProgram(
            &raw mut program,
            texts[0].as_ptr(),
            names[0].as_ptr(),
            count(&headers),
            headers.as_ptr(),
            include_names.as_ptr(),
        );
        if created != nvrtc::nvrtcResult::NVRTC_SUCCESS {
            return Err(failed("NVRTC takes no sources"));
        }
        let compiled = nvrtc::nvrtcCompileProgram(program, count(&options), options.as_ptr());
        let ptx = if compiled == nvrtc::nvrtcResult::NVRTC_SUCCESS {
            let mut size = 0;
            let _ = nvrtc::nvrtcGetPTXSize(program, &raw mut size);
            let mut ptx = vec![0_u8; size];
            let _ = nvrtc::nvrtcGetPTX(program, ptx.as_mut_ptr().cast());
            Ok(ptx)
        } else {
            let mut size = 0;
            let _ = nvrtc::nvrtcGetProgramLogSize(program, &raw mut size);
            let mut log = vec![0_u8; size + 1];
            let _ = nvrtc::nvrtcGetProgramLog(program, log.as_mut_ptr().cast());
            let log = CStr::from_bytes_until_nul(&log).map_or("no message", |log| log.to_str().unwrap_or("no message"));
            Err(failed(log))
        };
        let _ = nvrtc::nvrtcDestroyProgram(&raw mut program);
        ptx
    }
}

fn c(text: &str) -> CString {
    CString::new(text).expect("sources and options have no zero byte")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is built in says which sources it is of; `.ci/run` compiles them again and compares.
    #[test]
    fn every_source_is_there() {
        let all = SOURCES[0].1;
        for (name, text) in SOURCES {
            assert!(!text.is_empty());
            let is_included = all.contains(&format!("#include \"{name}\""));
            assert!(is_included || *name == "all.cu", "{name} is not in all.cu");
        }
        assert_eq!(all.matches("#include").count(), SOURCES.len() - 1);
        // The mark of a fatbin.
        assert_eq!(FATBIN.get(..4), Some(&[0x50, 0xed, 0x55, 0xba][..]));
    }
}
