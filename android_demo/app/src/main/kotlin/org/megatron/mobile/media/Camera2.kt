package org.megatron.mobile.media

import android.annotation.SuppressLint
import android.content.Context
import android.graphics.ImageFormat
import android.graphics.Rect
import android.hardware.camera2.CameraAccessException
import android.hardware.camera2.CameraCaptureSession
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraDevice
import android.hardware.camera2.CameraManager
import android.hardware.camera2.CaptureRequest
import android.hardware.camera2.CaptureResult
import android.hardware.camera2.TotalCaptureResult
import android.hardware.camera2.params.Face
import android.media.Image
import android.media.ImageReader
import android.os.Handler
import android.os.HandlerThread
import android.util.Size
import android.view.SurfaceHolder
import org.megatron.mobile.detector.ActiveArrayMapping
import org.megatron.mobile.detector.Box
import org.megatron.mobile.detector.FaceBoxes
import org.megatron.mobile.detector.YuvColour
import java.io.Closeable

/** The phone's cameras through Camera2, with the faces that the camera itself reports. */
class Camera2(context: Context) : Cameras {
    private val manager = context.getSystemService(CameraManager::class.java)

    override fun choices(): List<CameraChoice> = try {
        manager.cameraIdList.mapNotNull { choice(it, manager.getCameraCharacteristics(it)) }.sortedBy(CameraChoice::isFront)
    } catch (_: CameraAccessException) {
        emptyList()
    }

    override fun open(
        choice: CameraChoice, preview: SurfaceHolder, displayDegrees: Int, watcher: CameraWatcher,
    ): Closeable = Camera2Session(manager, choice, preview, displayDegrees, watcher).also(Camera2Session::start)

    private fun choice(id: String, about: CameraCharacteristics): CameraChoice? {
        val facing = about[CameraCharacteristics.LENS_FACING] ?: return null
        if (facing == CameraCharacteristics.LENS_FACING_EXTERNAL) return null
        val sizes = about[CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP]?.getOutputSizes(ImageFormat.YUV_420_888)
        val size = sizes?.let(::closest) ?: return null
        return CameraChoice(
            id = id,
            isFront = facing == CameraCharacteristics.LENS_FACING_FRONT,
            width = size.width,
            height = size.height,
            sensorOrientation = about[CameraCharacteristics.SENSOR_ORIENTATION] ?: 0,
        )
    }

    /** Large enough for a face across the room, small enough to be read ten times a second. */
    private fun closest(sizes: Array<Size>): Size? = sizes.minByOrNull { size ->
        kotlin.math.abs(size.width - WANTED_WIDTH) + kotlin.math.abs(size.height - WANTED_HEIGHT)
    }

    private companion object {
        const val WANTED_WIDTH = 1280
        const val WANTED_HEIGHT = 720
    }
}

private class Camera2Session(
    private val manager: CameraManager,
    private val choice: CameraChoice,
    private val preview: SurfaceHolder,
    displayDegrees: Int,
    private val watcher: CameraWatcher,
) : CameraDevice.StateCallback(), Closeable {
    private val rotation = choice.rotation(displayDegrees)
    private val thread = HandlerThread("camera").apply { start() }
    private val handler = Handler(thread.looper)
    private val reader = ImageReader.newInstance(choice.width, choice.height, ImageFormat.YUV_420_888, MOST_IMAGES)
    private val about = manager.getCameraCharacteristics(choice.id)
    private val pairs = FrameFaces<Image>(::onFrame, Image::close)
    private var camera: CameraDevice? = null
    private var firstNanos: Long? = null
    private var isClosed = false

    /** The activity asks for the permission before it comes here. */
    @SuppressLint("MissingPermission")
    fun start() {
        reader.setOnImageAvailableListener(::onImage, handler)
        try {
            manager.openCamera(choice.id, this, handler)
        } catch (_: CameraAccessException) {
            handler.post(::stop)
        } catch (_: SecurityException) {
            handler.post(::stop)
        }
    }

    override fun onOpened(device: CameraDevice) {
        if (isClosed) return device.close()
        camera = device
        try {
            @Suppress("DEPRECATION") // Its successor needs API 28.
            device.createCaptureSession(listOf(preview.surface, reader.surface), sessions, handler)
        } catch (_: CameraAccessException) {
            stop()
        } catch (_: IllegalArgumentException) {
            // The surface went away while the camera was opening.
            stop()
        }
    }

    override fun onDisconnected(device: CameraDevice) = stop()

    override fun onError(device: CameraDevice, error: Int) = stop()

    override fun close() {
        handler.post {
            shut()
            thread.quitSafely()
        }
    }

    private val sessions = object : CameraCaptureSession.StateCallback() {
        override fun onConfigured(session: CameraCaptureSession) {
            val device = camera ?: return
            try {
                val request = device.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW)
                request.addTarget(preview.surface)
                request.addTarget(reader.surface)
                request[CaptureRequest.STATISTICS_FACE_DETECT_MODE] = faceMode()
                session.setRepeatingRequest(request.build(), results, handler)
            } catch (_: CameraAccessException) {
                stop()
            } catch (_: IllegalStateException) {
                stop()
            }
        }

        override fun onConfigureFailed(session: CameraCaptureSession) = stop()
    }

    private val results = object : CameraCaptureSession.CaptureCallback() {
        override fun onCaptureCompleted(session: CameraCaptureSession, request: CaptureRequest, result: TotalCaptureResult) {
            val timestamp = result[CaptureResult.SENSOR_TIMESTAMP] ?: return
            if (!isClosed) pairs.onFaces(timestamp, boxes(result))
        }
    }

    /** Faces with eyes where the camera tells them, else their bounds. */
    private fun faceMode(): Int {
        val modes = about[CameraCharacteristics.STATISTICS_INFO_AVAILABLE_FACE_DETECT_MODES] ?: IntArray(0)
        return modes.maxOrNull() ?: CaptureRequest.STATISTICS_FACE_DETECT_MODE_OFF
    }

    private fun boxes(result: CaptureResult): List<Box> {
        val crop = result[CaptureResult.SCALER_CROP_REGION]
            ?: about[CameraCharacteristics.SENSOR_INFO_ACTIVE_ARRAY_SIZE]?.let { Rect(0, 0, it.width(), it.height()) }
            ?: return emptyList()
        val mapping = ActiveArrayMapping(
            crop.left, crop.top, crop.width(), crop.height(), choice.width, choice.height, rotation,
        )
        return result[CaptureResult.STATISTICS_FACES].orEmpty().map { box(it, mapping) }
    }

    private fun box(face: Face, mapping: ActiveArrayMapping): Box {
        val left = face.leftEyePosition
        val right = face.rightEyePosition
        if (left == null || right == null) {
            return face.bounds.let { mapping.box(it.left, it.top, it.right, it.bottom) }
        }
        val (x1, y1) = mapping.point(left.x.toDouble(), left.y.toDouble())
        val (x2, y2) = mapping.point(right.x.toDouble(), right.y.toDouble())
        return FaceBoxes.fromEyes(x1, y1, x2, y2)
    }

    private fun onImage(source: ImageReader) {
        val image = source.acquireLatestImage() ?: return
        val first = firstNanos ?: image.timestamp.also { firstNanos = it }
        if (isClosed || !watcher.wants((image.timestamp - first) / 1e6)) return image.close()
        pairs.onFrame(image.timestamp, image)
    }

    private fun onFrame(timestamp: Long, image: Image, faces: List<Box>) = image.use {
        // Cameras give what JPEG takes: BT.601 in full range.
        val frame = yuvFrame(it, YuvColour.BT601_FULL, rotation)
        watcher.onFrame((timestamp - (firstNanos ?: timestamp)) / 1e6, frame, faces)
    }

    private fun stop() {
        if (isClosed) return
        shut()
        watcher.onStopped()
    }

    private fun shut() {
        if (isClosed) return
        isClosed = true
        pairs.close()
        camera?.close()
        reader.close()
    }

    private companion object {
        /** One that waits for its faces, one being read, one being filled. */
        const val MOST_IMAGES = 3
    }
}
