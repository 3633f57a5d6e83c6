"""The child process of one stream worker: joins streams to the bus."""

from __future__ import annotations

import threading

import cv2

from cli import childhood
from cli.bus_sink import BusSink
from cli.site import Site
from configs.settings import environment
from dispatch.bus import Bus
from models import store
from streams.worker import Folders, Worker
from vision.detector import Detector, FaceDetector
from vision.look import RELEVANT


def run(site: Site, index: int) -> int:
    stop = threading.Event()
    cv2.setNumThreads(1)  # one core for each worker: more threads only add waiting
    assets = environment().assets
    detector_settings = site.settings.detector
    model, faces = store.find(detector_settings.model, assets), store.find(detector_settings.faces, assets)
    sink = BusSink(Bus(site.bus_url))
    layout = site.layout
    worker = Worker(
        site.cameras_of(index),
        site.settings.streams,
        Folders(layout.clips, layout.thumbnails, layout.feed_socket(index)),
        eyes=Detector(model.entry, model.path, only=RELEVANT),
        scores=model.entry.scores,
        faces=FaceDetector(faces.entry, faces.path),
        sink=sink,
    )
    childhood.grow_up(stop, alive=lambda: worker.alive)
    sink.start()
    worker.start()
    childhood.ready(cameras=[camera.id for camera in site.cameras_of(index)])
    worker.run(stop)
    worker.close()
    sink.close()
    return 0
