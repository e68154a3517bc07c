package org.megatron.mobile.runtime

import org.megatron.mobile.detector.Manifest
import org.megatron.mobile.detector.WINDOW
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Module
import org.pytorch.executorch.Tensor
import java.io.File
import java.nio.FloatBuffer

/** One `.pte` with all methods of a student, on the phone's CPU. */
class ExecuTorchRuntime private constructor(private val module: Module, manifest: Manifest) : ModelRuntime {
    private val frameShape = shape(1, 3, manifest.preprocess.size, manifest.preprocess.size)
    private val windowShape = shape(1, WINDOW, manifest.embeddingSize)
    private val maskShape = shape(1, WINDOW)

    override val name get() = "executorch"

    override fun encode(frame: FloatBuffer, rgb: FloatArray, depth: FloatArray) {
        val outputs = run("encode", frame to frameShape)
        outputs[0].toTensor().dataAsFloatArray.copyInto(rgb)
        outputs[1].toTensor().dataAsFloatArray.copyInto(depth)
    }

    override fun classify(
        rgb: FloatBuffer, depth: FloatBuffer, faceValid: FloatBuffer, depthValid: FloatBuffer, logits: FloatArray,
    ) {
        val outputs = run(
            "classify", rgb to windowShape, depth to windowShape, faceValid to maskShape, depthValid to maskShape,
        )
        outputs[0].toTensor().dataAsFloatArray.copyInto(logits)
    }

    override fun close() = module.close()

    private fun run(method: String, vararg inputs: Pair<FloatBuffer, LongArray>): Array<EValue> = guarded(method) {
        // Direct buffers in native order are read where they lie.
        val values = Array(inputs.size) { EValue.from(Tensor.fromBlob(inputs[it].first, inputs[it].second)) }
        module.execute(method, *values)
    }

    companion object {
        /** Load [program] and its methods; throws [RuntimeFailure]. [threads] 0 leaves the runtime its own choice. */
        fun load(program: File, manifest: Manifest, threads: Int = 0): ExecuTorchRuntime = guarded("load") {
            val module = Module.load(program.path, Module.LOAD_MODE_MMAP, threads)
            try {
                for (method in listOf("encode", "classify")) module.loadMethod(method)
            } catch (error: RuntimeException) {
                module.close()
                throw error
            }
            ExecuTorchRuntime(module, manifest)
        }

        private fun shape(vararg sizes: Int): LongArray = LongArray(sizes.size) { sizes[it].toLong() }

        private inline fun <T> guarded(what: String, block: () -> T): T = try {
            block()
        } catch (error: RuntimeException) {
            throw RuntimeFailure("$what: ${error.message}", error)
        } catch (error: UnsatisfiedLinkError) {
            throw RuntimeFailure("the runtime's library does not load on this phone: ${error.message}", error)
        }
    }
}
