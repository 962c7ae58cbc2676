# The program in a small image with git, which cloning a URL needs.
FROM golang:1.26-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags=-s -o /patwatch ./cmd/patwatch

FROM alpine:3.22
RUN apk add --no-cache git openssh-client ca-certificates && adduser -D -u 10001 patwatch
COPY --from=build /patwatch /usr/local/bin/patwatch
USER patwatch
WORKDIR /repository
ENTRYPOINT ["patwatch"]
CMD ["scan"]
