package org.megatron.mobile.golden

import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtSession
import org.megatron.mobile.detector.Manifest
import org.megatron.mobile.runtime.ModelRuntime
import java.io.File
import java.nio.FloatBuffer

/** The exported ONNX student: `encode.onnx` and `classify.onnx` of a folder. */
class OnnxRuntime(folder: File, private val manifest: Manifest) : ModelRuntime {
    private val environment = OrtEnvironment.getEnvironment()
    private val sessions = listOf("encode", "classify").associateWith { method ->
        OrtSession.SessionOptions().use { options ->
            options.setIntraOpNumThreads(1)
            environment.createSession(File(folder, "$method.onnx").path, options)
        }
    }

    override val name get() = "onnxruntime"

    override fun encode(frame: FloatBuffer, rgb: FloatArray, depth: FloatArray) =
        run("encode", listOf(frame)) { outputs ->
            outputs[0].copyInto(rgb)
            outputs[1].copyInto(depth)
        }

    override fun classify(
        rgb: FloatBuffer, depth: FloatBuffer, faceValid: FloatBuffer, depthValid: FloatBuffer, logits: FloatArray,
    ) = run("classify", listOf(rgb, depth, faceValid, depthValid)) { outputs -> outputs[0].copyInto(logits) }

    override fun close() = sessions.values.forEach(OrtSession::close)

    private fun run(method: String, inputs: List<FloatBuffer>, take: (List<FloatArray>) -> Unit) {
        val specs = manifest.method(method)!!.inputs
        val tensors = specs.zip(inputs).associate { (spec, buffer) ->
            spec.name to OnnxTensor.createTensor(environment, buffer, LongArray(spec.shape.size) { spec.shape[it].toLong() })
        }
        try {
            sessions.getValue(method).run(tensors).use { result ->
                take(
                    manifest.method(method)!!.outputs.map { output ->
                        val values = (result.get(output.name).get() as OnnxTensor).floatBuffer
                        FloatArray(values.remaining()).also(values::get)
                    },
                )
            }
        } finally {
            tensors.values.forEach(OnnxTensor::close)
        }
    }
}
