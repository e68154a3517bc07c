package org.megatron.mobile.ui

import org.megatron.mobile.detector.SIZE
import org.megatron.mobile.detector.WIDTH
import org.megatron.mobile.detector.sha256Of

const val PROGRAM = "student_xnnpack_int8.pte"

private val program = "a program".toByteArray()

/** What a bundle with the fake student holds; the arguments are what the app must refuse. */
fun testBundle(
    schemaVersion: Int = 1, fit: String = "scale", trained: Boolean = true, preferred: String? = PROGRAM,
): MutableMap<String, ByteArray> {
    val golden = "golden/golden.json" to "{}".toByteArray()
    val files = mutableMapOf(PROGRAM to program, golden)
    val goldenHash = sha256Of("golden.json ${sha256Of(golden.second.inputStream())}\n".byteInputStream())
    files["manifest.json"] = """
        {
          "schema_version": $schemaVersion,
          "name": "demo",
          "created": "2026-11-24T11:55:32+00:00",
          "trained": $trained,
          "depth_trained": true,
          "source": {
            "run": "runs/demo",
            "recipe": "demo",
            "weights_sha256": "4fdced8f07d37127174e6fdfe82fad7b0695069de8f7b0b18f2183477a2e36a2",
            "code_version": "0.1.0"
          },
          "preprocess": {"size": $SIZE, "margin": 1.5, "padding": 0, "fit": "$fit"},
          "decision": {
            "frame_rate": 10.0, "hop": 10, "min_coverage": 0.5, "temperature": 1.0, "threshold": 0.5,
            "aggregation": "mean_logits", "positive_class": "fake", "positive_index": 1
          },
          "methods": [
            {
              "name": "encode",
              "inputs": [${tensor("frame", 1, 3, SIZE, SIZE)}],
              "outputs": [${tensor("rgb_embedding", 1, WIDTH)}, ${tensor("depth_embedding", 1, WIDTH)}]
            },
            {
              "name": "classify",
              "inputs": [
                ${tensor("rgb", 1, 20, WIDTH)}, ${tensor("depth", 1, 20, WIDTH)},
                ${tensor("face_valid", 1, 20)}, ${tensor("depth_valid", 1, 20)}
              ],
              "outputs": [${tensor("logits", 1, 2)}]
            }
          ],
          "metrics": {
            "student": {
              "test": {"auc": 0.987, "frame_auc": 0.954, "accuracy": 0.95, "videos_real": 12, "videos_fake": 12}
            }
          },
          "preferred": ${preferred?.let { "\"$it\"" }},
          "artifacts": [
            {
              "path": "$PROGRAM", "target": "executorch", "backend": "xnnpack", "precision": "int8",
              "methods": ["encode", "classify"], "sha256": "${sha256Of(program.inputStream())}", "size_bytes": ${program.size},
              "runtime": {"name": "executorch", "version": "1.5.1"},
              "parity": {"cases": 44, "max_abs": 0.01, "cosine": 0.999, "agreement": 1.0},
              "accuracy": {"auc": 1.0, "agreement": 0.98}, "delegation": null, "verified": "runtime"
            }
          ],
          "golden": "golden",
          "golden_sha256": "$goldenHash"
        }
    """.trimIndent().toByteArray()
    return files
}

private fun tensor(name: String, vararg shape: Int) =
    """{"name": "$name", "shape": ${shape.toList()}, "dtype": "float32", "range": null}"""
