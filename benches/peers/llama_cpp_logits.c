/* What llama.cpp makes of a GGUF file: token ids on standard input; on standard output the natural log-probability of
 * each id after the first, on standard error 16 ids of a greedy continuation. Keys and values are f32.
 *
 *   cc -O1 llama_cpp_logits.c -o logits -I LLAMA/include -I LLAMA/ggml/include -L LLAMA/build/bin -lllama -lggml -lggml-base -lm \
 *      -Wl,-rpath,LLAMA/build/bin
 *   ./logits MODEL.gguf < ids.txt
 */
#include <math.h>
#include <stdio.h>
#include "llama.h"

#define MOST 65536
#define CONTINUED 16

static void only_errors(enum ggml_log_level level, const char *text, void *unused) {
    (void)unused;
    if (level == GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
}

int main(int argc, char **argv) {
    static llama_token ids[MOST];
    int n = 0;
    if (argc != 2) return 2;
    while (n < MOST && scanf("%d", &ids[n]) == 1) n++;
    llama_log_set(only_errors, NULL);
    llama_backend_init();
    ggml_backend_load_all();
    struct llama_model *model = llama_model_load_from_file(argv[1], llama_model_default_params());
    if (!model) return 1;
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = n + 256;
    params.n_batch = n;
    params.type_k = params.type_v = GGML_TYPE_F32;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    struct llama_context *context = llama_init_from_model(model, params);
    if (!context) return 1;

    struct llama_batch batch = llama_batch_init(n, 0, 1);
    batch.n_tokens = n;
    for (int i = 0; i < n; i++) {
        batch.token[i] = ids[i];
        batch.pos[i] = i;
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = 0;
        batch.logits[i] = 1;
    }
    if (llama_decode(context, batch)) return 1;
    int vocab = llama_vocab_n_tokens(llama_model_get_vocab(model));
    for (int i = 0; i + 1 < n; i++) {
        const float *logits = llama_get_logits_ith(context, i);
        double largest = logits[0], sum = 0;
        for (int k = 1; k < vocab; k++) largest = fmax(largest, logits[k]);
        for (int k = 0; k < vocab; k++) sum += exp(logits[k] - largest);
        printf("%.9f\n", logits[ids[i + 1]] - largest - log(sum));
    }
    const float *logits = llama_get_logits_ith(context, n - 1);
    for (int i = 0; i < CONTINUED; i++) {
        int best = 0;
        for (int k = 1; k < vocab; k++) best = logits[k] > logits[best] ? k : best;
        fprintf(stderr, "%d ", best);
        batch.n_tokens = 1;
        batch.token[0] = best;
        batch.pos[0] = n + i;
        batch.logits[0] = 1;
        if (llama_decode(context, batch)) return 1;
        logits = llama_get_logits_ith(context, 0);
    }
    return 0;
}
