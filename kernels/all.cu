// All kernels as one program for a card, each file in a namespace of its own: what they do not share has the same names.
#include "prelude.cuh"
#include "weights.cuh"
namespace attention_cu {
#include "attention.cu"
}
namespace attention_decode_cu {
#include "attention_decode.cu"
}
namespace attention_f32_cu {
#include "attention_f32.cu"
}
namespace embed_cu {
#include "embed.cu"
}
namespace gemm_cu {
#include "gemm.cu"
}
namespace gemv_cu {
#include "gemv.cu"
}
namespace lightning_cu {
#include "lightning.cu"
}
namespace lightning_decode_cu {
#include "lightning_decode.cu"
}
namespace norm_cu {
#include "norm.cu"
}
namespace permute_cu {
#include "permute.cu"
}
namespace rope_cu {
#include "rope.cu"
}
namespace router_cu {
#include "router.cu"
}
namespace sample_cu {
#include "sample.cu"
}
