# The image of a node: one static binary and nothing else.
#
# With internet:      docker build -t odeon .
# Without:            scripts/build-binary && docker build -t odeon -f deploy/Dockerfile.prebuilt target/image
FROM rust:1.95-bookworm AS build
WORKDIR /odeon
COPY . .
RUN scripts/build-binary

FROM scratch
COPY --from=build /odeon/target/image/odeon /odeon
ENV ODEON_DATA=/var/lib/odeon
VOLUME /var/lib/odeon
EXPOSE 5340/udp 5340/tcp
ENTRYPOINT ["/odeon"]
CMD ["up", "--listen", "0.0.0.0:5340"]
