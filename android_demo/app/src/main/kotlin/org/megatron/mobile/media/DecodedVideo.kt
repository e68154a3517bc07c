package org.megatron.mobile.media

import android.content.Context
import android.media.MediaCodec
import android.media.MediaCodecInfo
import android.media.MediaExtractor
import android.media.MediaFormat
import android.net.Uri
import android.os.Build
import java.io.IOException

/**
 * A video through the phone's own decoder, frame by frame with the timestamps of the file.
 *
 * Damage ends the video where it is: frames decoded before it count, none after it. Damage before the first frame is
 * [CheckFailure.DAMAGED].
 */
class DecodedVideo private constructor(
    private val extractor: MediaExtractor,
    private val codec: MediaCodec,
    track: MediaFormat,
) : VideoFrames {
    override val durationMs: Double? =
        if (track.containsKey(MediaFormat.KEY_DURATION)) track.getLong(MediaFormat.KEY_DURATION) / 1000.0 else null

    override var endsEarly = false
        private set

    private val rotation = (track.whole(MediaFormat.KEY_ROTATION) ?: 0).mod(360)
    private val info = MediaCodec.BufferInfo()
    private var colour = colourOf(track)
    private var firstUs: Long? = null
    private var held = NOTHING
    private var fed = false
    private var ended = false
    private var silent = 0

    override fun next(wants: (timeMs: Double) -> Boolean): TimedFrame? {
        try {
            while (!ended) {
                release()
                feed()
                val index = codec.dequeueOutputBuffer(info, WAIT_US)
                if (index == MediaCodec.INFO_OUTPUT_FORMAT_CHANGED) colour = colourOf(codec.outputFormat)
                // Some decoders fall silent on damage instead of saying so.
                if (index == MediaCodec.INFO_TRY_AGAIN_LATER && ++silent > MOST_SILENT) error("the decoder gives nothing")
                if (index < 0) continue
                silent = 0
                held = index
                ended = info.flags and MediaCodec.BUFFER_FLAG_END_OF_STREAM != 0
                picked(wants)?.let { return it }
            }
        } catch (error: IllegalStateException) {
            damaged(error)
        } catch (error: IOException) {
            damaged(error)
        }
        if (firstUs == null) throw VideoRefused(CheckFailure.DAMAGED)
        return null
    }

    override fun close() {
        try {
            release()
            codec.stop()
        } catch (_: IllegalStateException) {
            // A decoder that failed has stopped already.
        }
        codec.release()
        extractor.release()
    }

    private fun picked(wants: (timeMs: Double) -> Boolean): TimedFrame? {
        // The end may come in a buffer of its own, without a picture.
        if (info.size == 0) return null
        val first = firstUs ?: info.presentationTimeUs.also { firstUs = it }
        val timeMs = (info.presentationTimeUs - first) / 1000.0
        if (!wants(timeMs)) return null
        val image = codec.getOutputImage(held) ?: return null
        return TimedFrame(timeMs, yuvFrame(image, colour, rotation))
    }

    private fun feed() {
        while (!fed) {
            val index = codec.dequeueInputBuffer(0)
            if (index < 0) return
            val size = extractor.readSampleData(codec.getInputBuffer(index)!!, 0)
            if (size < 0) {
                fed = true
                codec.queueInputBuffer(index, 0, 0, 0, MediaCodec.BUFFER_FLAG_END_OF_STREAM)
            } else {
                codec.queueInputBuffer(index, 0, size, extractor.sampleTime, 0)
                extractor.advance()
            }
        }
    }

    private fun release() {
        if (held != NOTHING) codec.releaseOutputBuffer(held, false)
        held = NOTHING
    }

    private fun damaged(error: Exception) {
        ended = true
        held = NOTHING
        if (firstUs == null) throw VideoRefused(CheckFailure.DAMAGED, error)
        endsEarly = true
    }

    companion object {
        private const val NOTHING = -1
        private const val WAIT_US = 10_000L

        /** Ten seconds without a picture. */
        private const val MOST_SILENT = 1000

        /** Open what [uri] names; throws [VideoRefused]. */
        fun open(context: Context, uri: String): DecodedVideo {
            val extractor = MediaExtractor()
            try {
                source(context, uri, extractor)
                val index = (0 until extractor.trackCount).firstOrNull { mime(extractor, it)?.startsWith("video/") == true }
                    ?: throw VideoRefused(CheckFailure.NO_VIDEO)
                extractor.selectTrack(index)
                val track = extractor.getTrackFormat(index)
                return DecodedVideo(extractor, started(track, mime(extractor, index)!!), track)
            } catch (error: VideoRefused) {
                extractor.release()
                throw error
            }
        }

        private fun source(context: Context, uri: String, extractor: MediaExtractor) {
            val file = try {
                context.contentResolver.openAssetFileDescriptor(Uri.parse(uri), "r")
            } catch (error: IOException) {
                throw VideoRefused(CheckFailure.UNREADABLE, error)
            } catch (error: SecurityException) {
                throw VideoRefused(CheckFailure.UNREADABLE, error)
            } ?: throw VideoRefused(CheckFailure.UNREADABLE)
            try {
                file.use {
                    if (it.declaredLength < 0) extractor.setDataSource(it.fileDescriptor)
                    else extractor.setDataSource(it.fileDescriptor, it.startOffset, it.declaredLength)
                }
            } catch (error: IOException) {
                throw VideoRefused(CheckFailure.NO_VIDEO, error)
            } catch (error: IllegalArgumentException) {
                throw VideoRefused(CheckFailure.NO_VIDEO, error)
            }
        }

        private fun mime(extractor: MediaExtractor, track: Int): String? =
            extractor.getTrackFormat(track).getString(MediaFormat.KEY_MIME)

        private fun started(track: MediaFormat, mime: String): MediaCodec {
            track.setInteger(MediaFormat.KEY_COLOR_FORMAT, MediaCodecInfo.CodecCapabilities.COLOR_FormatYUV420Flexible)
            if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) {
                // Pictures of more than 8 bits come in another layout unless the decoder maps them down.
                track.setInteger(MediaFormat.KEY_COLOR_TRANSFER_REQUEST, MediaFormat.COLOR_TRANSFER_SDR_VIDEO)
            }
            val codec = try {
                MediaCodec.createDecoderByType(mime)
            } catch (error: IOException) {
                throw VideoRefused(CheckFailure.NO_VIDEO, error)
            } catch (error: IllegalArgumentException) {
                throw VideoRefused(CheckFailure.NO_VIDEO, error)
            }
            try {
                codec.configure(track, null, null, 0)
                codec.start()
            } catch (error: IllegalStateException) {
                codec.release()
                throw VideoRefused(CheckFailure.NO_VIDEO, error)
            } catch (error: IllegalArgumentException) {
                codec.release()
                throw VideoRefused(CheckFailure.NO_VIDEO, error)
            }
            return codec
        }
    }
}
